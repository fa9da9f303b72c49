import Primitives
import Telemetry
import TestSupport
import Testing

@testable import Query

/// Patterns in questions, with times that are made up.
@Suite(.blocking) struct QueryInsightsTests {
    private let log = Logger(level: .error) { _ in }

    /// Asks one after the other; each takes 20 ms and the next begins 1 ms later.
    @discardableResult
    private func ask(
        _ insights: QueryInsights, _ questions: [String], path: String = "/query",
        trace: UInt64? = 1, caller: String = "ci", overlapping: Bool = false, from start: UInt64 = 0
    ) -> [InsightAdvice] {
        questions.enumerated().compactMap { index, question in
            let began = start + UInt64(overlapping ? index : index * 21) * 1_000_000
            return insights.observe(
                ObservedQuestion(
                    path: path, parameters: pairs(question), caller: caller,
                    context: trace.map { .trace(Key128(high: 1, low: $0)) } ?? .caller,
                    began: MonotonicTime(nanoseconds: began),
                    ended: MonotonicTime(nanoseconds: began + 20_000_000)))
        }
    }

    private func each(_ count: Int, _ question: (Int) -> String) -> [String] {
        (0..<count).map(question)
    }

    @Test func `five are a pattern and four are not`() {
        let insights = QueryInsights(log: log)
        #expect(ask(insights, each(4) { "metric=count&where=a:eq:\($0)" }).isEmpty)
        #expect(insights.insights().isEmpty)
        let advice = ask(insights, each(6) { "metric=count&where=a:eq:\($0)" }, trace: 2)
        #expect(advice.count == 1 && advice.first?.kind == .nPlusOne)
        #expect(insights.insights().first?.count == 6)
        #expect(insights.reportedCount(.nPlusOne) == 1 && insights.observedCount == 10)
    }

    @Test func `the order of parameters and how an answer is made make no other question`() {
        let insights = QueryInsights(log: log)
        let questions = [
            "metric=count&where=a:eq:1&where=b:gt:2", "where=b:gt:2&metric=count&where=a:eq:2",
            "metric=count&where=a:eq:3&where=b:gt:2&format=csv",
            "metric=count&where=a:eq:4&where=b:gt:2&cache=bypass&max_stale=0",
            "where=a:eq:5&where=b:gt:2&metric=count&from=-1h",
        ]
        // A range is a part of the question, where it ends is not.
        #expect(ask(insights, questions).isEmpty)
        let fifth = "metric=count&where=a:eq:10&where=b:gt:2"
        #expect(ask(insights, questions.dropLast() + [fifth], trace: 2).count == 1)
    }

    @Test func `a loop in a loop is found, and two values that vary together are not one`() {
        let insights = QueryInsights(log: log)
        let nested = each(3) { "\($0)" }.flatMap { outer in
            each(6) { "metric=count&where=a:eq:\(outer)&where=b:eq:\($0)" }
        }
        #expect(ask(insights, nested).count == 3)
        #expect(insights.insights().first?.parameter == "where b:eq")
        #expect(insights.insights().first?.occurrences == 3)
        let diagonal = each(20) { "metric=sum:n&where=a:eq:\($0)&where=b:eq:\($0)" }
        #expect(ask(insights, diagonal, trace: 2).isEmpty)
    }

    @Test func `few values again and again are no pattern of new ones`() {
        let insights = QueryInsights(log: log)
        #expect(ask(insights, each(20) { "metric=count&where=a:eq:\($0 % 3)" }).isEmpty)
        #expect(ask(insights, each(6) { _ in "metric=count" }).first?.kind == .duplicates)
        #expect(
            ask(insights, each(6) { "metric=avg:n&where=a:eq:\($0)" }, overlapping: true).first?
                .kind
                == .fanOut)
        // The pages of one answer.
        #expect(ask(insights, each(9) { "metric=count&group_by=a&cursor=\($0)" }).isEmpty)
    }

    @Test func `without a trace ten seconds are one context, and callers are apart`() {
        let insights = QueryInsights(log: log)
        let four = each(4) { "metric=count&where=a:eq:\($0)" }
        #expect(ask(insights, four, trace: nil).isEmpty)
        #expect(ask(insights, four, trace: nil, caller: "other").isEmpty)
        #expect(ask(insights, four, trace: nil, from: 11_000_000_000).isEmpty)
        #expect(
            ask(insights, ["metric=count&where=a:eq:9"], trace: nil, from: 11_100_000_000).count
                == 1)
    }

    @Test func `the replacement is a question that can be asked`() throws {
        let insights = QueryInsights(log: log)
        func replacement(_ questions: [String], path: String = "/query") -> String? {
            let trace = UInt64.random(in: 0 ... .max)
            ask(insights, questions, path: path, trace: trace)
            return insights.insights().first { $0.traces.contains { $0.low == trace } }?.replacement
        }
        #expect(
            replacement(each(5) { "metric=count&event=t\($0)&interval=1h" })
                == "/query?metric=count&interval=1h&group_by=type&event=t0,t1,t2,t3,t4")
        #expect(
            replacement(each(5) { "metric=count&where=cart.total:eq:\($0)&group_by=k" })
                == "/query?metric=count&group_by=k,cart.total&where=cart.total:in:0,1,2,3,4")
        #expect(
            replacement(each(120) { "metric=count&where=u:eq:\($0)" })
                == "/query?metric=count&group_by=u")
        #expect(replacement(each(5) { "metric=count&where=u:prefix:\($0)" }) == nil)
        #expect(replacement(each(5) { "metric=count&group_by=a,b,c,d&where=u:eq:\($0)" }) == nil)
        #expect(replacement(each(5) { "days=\($0)" }, path: "/query/named/q") == nil)
        #expect(replacement(each(5) { "q=SELECT :a&p.a=\($0)" }, path: "/query/sql") == nil)
        let url = try #require(
            replacement(each(5) { "metric=count&where=u:eq:a\(["?", "é", "%", " ", "+"][$0])" }))
        #expect(url.hasSuffix("&where=u:in:a%3f,a%c3%a9,a%25,a%20,a%2b"))
    }

    @Test func `what it keeps is bounded, and the oldest makes room`() {
        let insights = QueryInsights(log: log)
        for trace in 0..<3000 {
            ask(
                insights, each(5) { "metric=count&where=a\(trace):eq:\($0)" },
                trace: UInt64(trace))
        }
        #expect(insights.insights().count == 256)
        #expect(insights.reportedCount(.nPlusOne) == 3000)
        // The first trace is forgotten: it would need five more.
        #expect(ask(insights, ["metric=count&where=a0:eq:9"], trace: 0).isEmpty)
        let long = String(repeating: "x", count: 5000)
        #expect(ask(insights, each(9) { "metric=count&where=a:eq:\(long)\($0)" }).isEmpty)
    }

    @Test func `what an operator leaves out is not reported`() throws {
        let fingerprint = try #require(
            {
                let insights = QueryInsights(log: log)
                return ask(insights, each(5) { "metric=count&where=a:eq:\($0)" }).first?.fingerprint
            }())
        for text in [fingerprint, "key:ci", "query:q"] {
            let exemption = try #require(InsightExemption(text))
            let insights = QueryInsights(ignoring: [exemption], log: log)
            let path = text == "query:q" ? "/query/named/q" : "/query"
            #expect(
                ask(insights, each(9) { "metric=count&where=a:eq:\($0)" }, path: path).isEmpty)
            #expect(insights.insights().isEmpty)
        }
        for text in ["", "key:", "abc", "query:", String(repeating: "g", count: 16)] {
            #expect(InsightExemption(text) == nil)
        }
    }

    @Test func `advice is printable ASCII whatever a field is called`() {
        let insights = QueryInsights(log: log)
        let advice = ask(insights, each(5) { "metric=count&where=\"é\u{1}\\\":eq:\($0)" }).first
        #expect(advice?.header.utf8.allSatisfy { (0x20...0x7E).contains($0) } == true)
    }
}
