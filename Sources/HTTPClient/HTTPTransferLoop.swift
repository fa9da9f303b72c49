internal import CCurl
import Primitives

/// What the client's thread does: takes requests, lets libcurl work, hands out results.
final class HTTPTransferLoop: @unchecked Sendable {  // Used by the client's thread alone.
    private let multi: MultiHandle
    private let options: HTTPClientOptions
    private let inbox: Locked<HTTPClient.Inbox>
    /// By their easy handles.
    private var transfers: [UnsafeMutableRawPointer: HTTPTransfer] = [:]

    /// The longest wait: a request in the queue whose deadline passes is told by then.
    private static let longestWait = Duration.milliseconds(500)

    init(_ multi: MultiHandle, _ options: HTTPClientOptions, _ inbox: Locked<HTTPClient.Inbox>) {
        self.multi = multi
        self.options = options
        self.inbox = inbox
    }

    func run() {
        while true {
            let (starting, late, isClosed) = take()
            for request in late {
                request.completion(
                    .failure(HTTPClientError(.timeout, "the deadline passed in the queue")))
            }
            for request in starting { start(request) }
            if isClosed { return cancelAll() }
            multi.perform()
            finishEnded()
            multi.wait(nextWait())
        }
    }

    private func take() -> (starting: [HTTPRequest], late: [HTTPRequest], isClosed: Bool) {
        let room = options.inFlightLimit - transfers.count
        let now = Deadline(.now())
        return inbox.withLock { inbox in
            let late = inbox.waiting.filter { $0.deadline <= now }
            if !late.isEmpty { inbox.waiting.removeAll { $0.deadline <= now } }
            let starting = Array(inbox.waiting.prefix(room))
            inbox.waiting.removeFirst(starting.count)
            return (starting, late, inbox.isClosed)
        }
    }

    private func start(_ request: HTTPRequest) {
        guard let transfer = HTTPTransfer(request, options), multi.add(transfer) else {
            let error = HTTPClientError(.internal, "libcurl cannot take a request")
            return request.completion(.failure(error))
        }
        transfers[transfer.easy] = transfer
    }

    private func finishEnded() {
        while let (easy, result) = multi.nextEnded() {
            guard let transfer = transfers.removeValue(forKey: easy) else { continue }
            multi.remove(transfer)
            transfer.complete(result)
        }
    }

    private func cancelAll() {
        let error = HTTPClientError(.cancelled, "the client is closing")
        for transfer in transfers.values {
            multi.remove(transfer)
            transfer.complete(error)
        }
        transfers = [:]
        let waiting = inbox.withLock { inbox in
            defer { inbox.waiting = [] }
            return inbox.waiting
        }
        for request in waiting { request.completion(.failure(error)) }
    }

    /// Transfers wake the thread by themselves, and room for the next request comes with their
    /// end; what waits has deadlines that libcurl does not know.
    private func nextWait() -> Duration {
        let (next, hasStartable) = inbox.withLock { inbox in
            (
                inbox.waiting.map(\.deadline).min(),
                !inbox.waiting.isEmpty && transfers.count < options.inFlightLimit
            )
        }
        if hasStartable { return .zero }
        return min(HTTPTransferLoop.longestWait, next?.remaining ?? HTTPTransferLoop.longestWait)
    }
}
