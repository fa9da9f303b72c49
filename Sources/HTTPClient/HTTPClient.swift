import Primitives

/// Sends POST requests over HTTP and HTTPS: bounded, each with one absolute deadline, on one thread
/// of its own. Any thread.
///
/// Certificates are verified, redirects are answers, proxies and other settings of the environment
/// are not looked at. Connections are kept and used again.
package final class HTTPClient: Sendable {
    struct Inbox: Sendable {
        /// Oldest first.
        var waiting: [HTTPRequest] = []
        var isClosed = false
    }

    private let options: HTTPClientOptions
    private let inbox = Locked(Inbox())
    private let multi: MultiHandle
    private let thread = ThreadSlot()

    package init(_ options: HTTPClientOptions = HTTPClientOptions()) {
        precondition(options.inFlightLimit > 0 && options.queueLimit >= 0)
        self.options = options
        let multi = MultiHandle(options)
        self.multi = multi
        let loop = HTTPTransferLoop(multi, options, inbox)
        thread.start(name: "http-client") { loop.run() }
    }

    deinit { close() }

    /// Sends `body` to `url`.
    ///
    /// The deadline covers all of it: waiting for its turn, the name, the connection, TLS, sending
    /// and the whole reply.
    /// - Parameters:
    ///   - headers: names and values; `Content-Length` and `Host` are added.
    ///   - completion: called once; on the client's thread, where it must be quick and must not
    ///     close the client, or on this one if the request cannot be taken.
    package func post(
        _ url: String, headers: [(name: String, value: String)] = [], body: Bytes,
        deadline: Deadline,
        completion: @escaping @Sendable (Result<HTTPReply, HTTPClientError>) -> Void
    ) {
        let request = HTTPRequest(
            url: url, headers: headers.map { "\($0.name): \($0.value)" }, body: body,
            deadline: deadline, completion: completion)
        if let refusal = request.fault ?? enqueue(request) {
            return completion(.failure(refusal))
        }
        multi.wake()
    }

    /// The same for a thread that may block.
    /// - Throws: why there is no reply.
    package func post(
        _ url: String, headers: [(name: String, value: String)] = [], body: Bytes,
        deadline: Deadline
    ) throws(HTTPClientError) -> HTTPReply {
        let outcome: Monitor<Result<HTTPReply, HTTPClientError>?> = Monitor(nil)
        post(url, headers: headers, body: body, deadline: deadline) { result in
            outcome.change { $0 = result }
        }
        let result = outcome.wait(for: { $0 != nil }, then: { $0 }) ?? nil
        guard let result else { throw HTTPClientError(.internal, "no outcome") }
        return try result.get()
    }

    /// Ends what is under way or waits with `cancelled`, and the thread. May be called again.
    package func close() {
        inbox.withLock { $0.isClosed = true }
        multi.wake()
        thread.join()
    }

    private func enqueue(_ request: HTTPRequest) -> HTTPClientError? {
        inbox.withLock { inbox in
            if inbox.isClosed { return HTTPClientError(.cancelled, "the client is closed") }
            // Those that may start at once lie here too, until the thread takes them.
            guard inbox.waiting.count < options.queueLimit + options.inFlightLimit else {
                return HTTPClientError(.queueFull, "\(inbox.waiting.count) requests wait")
            }
            inbox.waiting.append(request)
            return nil
        }
    }
}
