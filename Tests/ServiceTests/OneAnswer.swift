import Glibc
import Primitives
import TestSupport

/// A listening socket that takes one connection, reads what arrives first and answers with fixed
/// bytes, or never.
final class OneAnswer: Sendable {
    let port: Int
    private let listener: Int32
    private let received = Locked<String>("")
    private let thread: Locked<Thread?> = Locked(nil)

    /// - Parameter answer: nil keeps the connection open and says nothing.
    init(_ answer: String?) throws {
        let (listener, port) = try Loopback.listen()
        (self.listener, self.port) = (listener, Int(port))
        let received = received
        let server = Thread(name: "answer") { OneAnswer.serve(listener, answer, received) }
        thread.withLock { $0 = server }
    }

    deinit { finish() }

    /// What the client sent. Waits for the client to go.
    func request() -> String {
        finish()
        return received.withLock { $0 }
    }

    private func finish() {
        guard
            let thread = thread.withLock({ thread in
                defer { thread = nil }
                return thread
            })
        else { return }
        thread.join()
        close(listener)
    }

    private static func serve(_ listener: Int32, _ answer: String?, _ received: Locked<String>) {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(client, &bytes, bytes.count, 0)
        received.withLock { $0 = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self) }
        if let answer {
            _ = send(client, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
        } else {
            _ = recv(client, &bytes, bytes.count, 0)
        }
        close(client)
    }
}
