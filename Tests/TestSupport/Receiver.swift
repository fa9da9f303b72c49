import Primitives

/// A webhook receiver that remembers what it took and answers as a test tells it to.
package final class Receiver: Sendable {
    /// What to do with a request.
    package enum Answer: Sendable {
        case status(Int, headers: [String] = [])
        /// Take the request and never answer.
        case hang
        /// Take the request and reset the connection.
        case reset
    }

    package struct Delivery: Sendable {
        package let ids: [String]
        package let status: Int
        package let head: String
        /// The body.
        package let text: String
        package let at: MonotonicTime
    }

    package typealias Rule = @Sendable (_ ids: [String], _ number: Int) -> Answer

    private struct State {
        var rule: Rule
        var deliveries: [Delivery] = []
        var count = 0
    }

    private let state: Locked<State>
    private let server: RawServer

    /// - Parameter rule: judges a request by the ids of its events and its number, from 0.
    package init(_ rule: @escaping Rule = { _, _ in .status(200) }) throws {
        let state = Locked(State(rule: rule))
        self.state = state
        server = try RawServer { Receiver.serve($0, state) }
    }

    package var url: String { server.url + "hook" }
    package var port: UInt16 { server.port }

    /// From now on another rule holds.
    package func obey(_ rule: @escaping Rule) { state.withLock { $0.rule = rule } }

    /// All requests that were answered, in their order. A copy of its own: ThreadSanitizer does not see
    /// that the last reader of a shared array lets go of it before it is appended to.
    package var deliveries: [Delivery] { state.withLock { $0.deliveries.map(\.self) } }
    /// Requests that came, answered or not.
    package var requestCount: Int { state.withLock { $0.count } }
    /// Events that were taken with a 2xx, in the order of their arrival, duplicates included.
    package var taken: [String] { deliveries.filter { $0.status / 100 == 2 }.flatMap(\.ids) }

    package func close() { server.close() }

    private static func serve(_ connection: RawConnection, _ state: Locked<State>) {
        while let request = connection.request() {
            let ids = ids(in: request.text)
            let (rule, number) = state.withLock { state in
                state.count += 1
                return (state.rule, state.count - 1)
            }
            switch rule(ids, number) {
            case .status(let status, let headers):
                // Noted first: a test that sees the sink's count must see the delivery too.
                state.withLock { state in
                    state.deliveries.append(
                        Delivery(
                            ids: ids, status: status, head: request.head, text: request.text,
                            at: .now()))
                }
                connection.reply(status, headers: headers)
            case .hang: return connection.hang()
            case .reset: return connection.resetOnClose()
            }
        }
    }

    /// The ids of the events in a batch, by the form in which the service writes them.
    private static func ids(in text: String) -> [String] {
        let mark = #"{"specversion":"1.0","id":""#
        var ids: [String] = []
        var rest = text[...]
        while let start = rest.firstRange(of: mark) {
            rest = rest[start.upperBound...]
            ids.append(String(rest.prefix { $0 != "\"" }))
        }
        return ids
    }
}
