import Cache
import HTTPServer
import Primitives
import Query

extension Request {
    /// Lets `insights` see a question that this request asked, and tells the client on `response` if
    /// there is something to say. Before the response is sent.
    /// - Parameters:
    ///   - path: of the route, with the name of a query.
    ///   - reply: nil for an answer that no cache gives.
    @discardableResult
    func observe(
        _ insights: QueryInsights, _ path: String, _ parameters: [Parameter],
        _ reply: CacheReply?, _ response: inout Response
    ) -> Bool {
        guard reply?.source != .memory else {
            insights.countHit()
            return false
        }
        let question = ObservedQuestion(
            path: path, parameters: parameters, caller: principal.name,
            context: trace.parentID == 0 ? .caller : .trace(trace.traceID), began: received,
            ended: .now())
        let advice = correlated { insights.observe(question) }
        guard let advice else { return false }
        response.add("Millrace-Advice", advice.header)
        return true
    }
}
