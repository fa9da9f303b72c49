import Primitives

/// The right to answer one request, once, from any thread. An answer that comes when the client has
/// gone, or a second one, is dropped.
package struct Responder: Sendable {
    private enum Target: Sendable {
        case connection(HTTPConnection, number: UInt64)
        case capture(Monitor<Response?>)
    }

    private let target: Target

    init(_ connection: HTTPConnection, number: UInt64) {
        target = .connection(connection, number: number)
    }

    /// A responder without a socket, for tests; read it with `captured`.
    package init() { target = .capture(Monitor(nil)) }

    /// Sends `response`. On the request's own event loop it goes out at once, from another thread
    /// the loop is woken.
    package func respond(_ response: Response) {
        switch target {
        case .connection(let connection, let number):
            // Only who answers first may look at the request: for anybody else it may by now be the
            // next one.
            guard connection.claim(number) else { return response.discard() }
            let loop = connection.loop
            let isOnLoop = loop.isCurrentThread
            let response = ReplyCoding.apply(
                response, connection.request.headers, isOnLoop: isOnLoop)
            if isOnLoop {
                connection.complete(number, response)
            } else if !loop.enqueue({ connection.complete(number, response) }) {
                response.discard()
            }
        case .capture(let monitor): monitor.change { $0 = $0 ?? response }
        }
    }

    package func respond(_ problem: Problem, _ request: Request) {
        respond(problem.response(for: request))
    }

    /// Whether the client was seen to leave. Any thread; asked now and then by long work.
    ///
    /// A client that only closes its side of the connection looks the same and counts as gone. It
    /// still gets whatever answer is given.
    package var isAbandoned: Bool {
        guard case .connection(let connection, let number) = target else { return false }
        return connection.isAbandoned(number)
    }

    /// The response of a responder without a socket, waiting for it until `deadline`.
    package func captured(until deadline: Deadline = .after(.seconds(10))) -> Response? {
        guard case .capture(let monitor) = target else { return nil }
        return monitor.wait(until: deadline, for: { $0 != nil }, then: { $0 }) ?? nil
    }
}
