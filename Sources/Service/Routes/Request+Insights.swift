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
    func observe(
        _ insights: QueryInsights, _ path: String, _ parameters: [Parameter],
        _ reply: CacheReply?, _ response: inout Response
    ) {
        guard reply?.source != .memory else { return insights.countHit() }
        let question = ObservedQuestion(
            path: path, parameters: parameters, caller: principal.name,
            context: trace.parentID == 0 ? .caller : .trace(trace.traceID), began: received,
            ended: .now())
        let advice = correlated { insights.observe(question) }
        if let advice { response.add("Millrace-Advice", advice.header) }
    }
}
