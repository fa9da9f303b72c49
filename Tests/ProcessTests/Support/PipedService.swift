internal import Glibc
import Primitives
import TestSupport

/// A service whose standard output is a pipe, which the test reads or leaves full. Each request is a
/// record of its log.
final class PipedService {
    let process: ChildProcess
    let wire: ClientConnection
    private let pipe: Int32
    private(set) var output: [UInt8] = []
    private var chunk = [UInt8](repeating: 0, count: 1 << 16)

    init(_ directory: TemporaryDirectory) throws {
        let path = directory.file("fifo")
        guard mkfifo(path, 0o600) == 0 else { throw TestError("no pipe at \(path)") }
        // Both ends, so that it opens at once and the service never sees it closed.
        pipe = open(path, O_RDWR | O_NONBLOCK)
        let listener = try Loopback.listen()
        let port = listener.port
        close(listener.descriptor)
        process = try ChildProcess(
            [
                try MillraceBinary.path(), "serve", "--port", "\(port)", "--data-dir",
                directory.file("data"), "--access-log", "all",
            ], output: path, errors: directory.file("err"))
        let deadline = Deadline.after(.seconds(120) * slowness)
        while (try? ClientConnection(port: port)) == nil, !deadline.hasPassed { usleep(10_000) }
        wire = try ClientConnection(port: port)
        // It listens before it knows its routes.
        repeat { try wire.send("GET", "/nowhere") } while try wire.receive().status == 503
    }

    deinit {
        process.kill()
        close(pipe)
    }

    /// Makes `count` requests, one after the other.
    /// - Returns: how long the slowest took.
    @discardableResult
    func ask(_ count: Int) throws -> Duration { try wire.ask(count) }

    func status() throws -> JSONTree {
        try wire.send("GET", "/status")
        return try wire.receive().json()
    }

    /// Reads what is in the pipe.
    func drain() {
        while true {
            let size = chunk.count
            let count = read(pipe, &chunk, size)
            guard count > 0 else { return }
            output += chunk[..<count]
        }
    }
}

extension ClientConnection {
    /// Makes `count` requests that are records of the service's log, one after the other.
    /// - Returns: how long the slowest took.
    @discardableResult
    func ask(_ count: Int) throws -> Duration {
        var slowest = Duration.zero
        for _ in 0..<count {
            let start = MonotonicTime.now()
            try send("GET", "/nowhere")
            let status = try receive().status
            guard status == 404 else { throw TestError("a request was answered \(status)") }
            slowest = max(slowest, MonotonicTime.now().since(start))
        }
        return slowest
    }
}

extension RunningService {
    /// A service that writes a record for every request, so that their number is known.
    static func loggingAll(_ arguments: [String] = []) throws -> RunningService {
        try start(["--access-log", "all"] + arguments)
    }
}
