internal import Glibc
import Primitives

/// A server on a free port of this machine that says exactly what a test tells it to, byte by
/// byte. Everything it opened ends with it.
package final class RawServer: Sendable {
    private struct State {
        var connections: [RawConnection] = []
        var threads: [Thread] = []
        var isClosed = false
    }

    package let port: UInt16
    private let listener: Int32
    private let handler: @Sendable (RawConnection) -> Void
    private let state = Locked(State())
    private let acceptor: Locked<Thread?> = Locked(nil)

    /// - Parameters:
    ///   - port: that of a predecessor, which is closed; 0 takes any free one.
    ///   - handler: serves one connection, on a thread of its own; the connection is closed when it
    ///     returns.
    package init(
        port: UInt16 = 0, _ handler: @escaping @Sendable (RawConnection) -> Void
    ) throws {
        self.handler = handler
        (listener, self.port) = try Loopback.listen(on: port)
        let (listener, state) = (listener, state)
        let thread = Thread(name: "raw-server") {
            RawServer.accept(on: listener, state, handler)
        }
        acceptor.withLock { $0 = thread }
    }

    deinit { close() }

    package var url: String { "http://127.0.0.1:\(port)/" }

    /// Connections taken so far.
    package var connectionCount: Int { state.withLock { $0.connections.count } }

    /// Refuses new connections and ends those that are open.
    package func close() {
        let connections = state.withLock { state in
            state.isClosed = true
            return state.connections
        }
        guard
            let thread = acceptor.withLock({ acceptor -> Thread? in
                defer { acceptor = nil }
                return acceptor
            })
        else { return }
        shutdown(listener, Int32(SHUT_RDWR))
        thread.join()
        Glibc.close(listener)
        for connection in connections { connection.end() }
        for thread in state.withLock({ $0.threads }) { thread.join() }
    }

    private static func accept(
        on listener: Int32, _ state: Locked<State>,
        _ handler: @escaping @Sendable (RawConnection) -> Void
    ) {
        while true {
            let descriptor = Glibc.accept(listener, nil, nil)
            if descriptor < 0, errno == EINTR || errno == ECONNABORTED { continue }
            guard descriptor >= 0 else { return }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            state.withLock { state in
                let connection = RawConnection(descriptor, index: state.connections.count)
                state.connections.append(connection)
                let thread = Thread(name: "raw-connection") {
                    handler(connection)
                    connection.close()
                }
                state.threads.append(thread)
                if state.isClosed { connection.end() }
            }
        }
    }
}
