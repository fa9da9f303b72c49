import Primitives

/// A client that posts log records as fast as they are taken, over some connections. What is refused
/// with 503 it sends again after a moment, which is sooner than `Retry-After` asks for.
final class LogFlood: Sendable {
    /// After a refusal.
    private static let pause = Duration.milliseconds(5)

    /// What became of the records so far.
    struct Account: Sendable {
        var accepted = 0
        var refusedRequests = 0
        var failure: BenchFailure?
    }

    private struct State {
        var account = Account()
        var isOver = false
    }

    private let state = Locked(State())
    private let threads: Locked<[Thread]> = Locked([])

    /// - Parameters:
    ///   - requests: sent in turn, each connection from another one on.
    ///   - recordsEach: of each request.
    init(port: UInt16, _ requests: [Bytes], recordsEach: Int, connections: Int) {
        let started = (0..<connections).map { number in
            Thread(name: "bench-flood") { [state] in
                do throws(BenchFailure) {
                    try LogFlood.run(port, requests, recordsEach, from: number, state)
                } catch {
                    state.withLock { $0.account.failure = error }
                }
            }
        }
        threads.withLock { $0 = started }
    }

    private static func run(
        _ port: UInt16, _ requests: [Bytes], _ recordsEach: Int, from first: Int,
        _ state: borrowing Locked<State>
    ) throws(BenchFailure) {
        let connection = try KeptConnection(port: port)
        var index = first
        while !state.withLock({ $0.isOver }) {
            let status = try connection.ask(requests[index % requests.count])
            switch status {
            case 202:
                state.withLock { $0.account.accepted += recordsEach }
                index += 1
            case 503:
                state.withLock { $0.account.refusedRequests += 1 }
                sleep(until: .after(pause))
            default: throw BenchFailure("a body of logs was answered with \(status)")
            }
        }
    }

    /// Ends the flood once each connection has its last reply.
    func stop() throws(BenchFailure) -> Account {
        state.withLock { $0.isOver = true }
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
        let account = state.withLock { $0.account }
        if let failure = account.failure { throw failure }
        return account
    }
}
