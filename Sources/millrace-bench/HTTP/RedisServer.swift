internal import Glibc
import Primitives

/// A Redis of its own on a free port, without persistence. Killed when the last owner goes.
final class RedisServer {
    let port: UInt16
    private let process: ChildProcess

    private static let startLimit = Duration.seconds(10)

    /// Returns once it takes connections.
    init(_ bench: Bench) throws(BenchFailure) {
        port = try LoopbackAddress.freePort()
        do throws(BenchFailure) {
            process = try ChildProcess(
                [
                    "redis-server", "--bind", "127.0.0.1", "--port", "\(port)", "--save", "",
                    "--appendonly", "no",
                ], output: bench.scratch.file("redis.log"))
        } catch { throw BenchFailure("\(error); make bench installs it") }
        let deadline = Deadline.after(RedisServer.startLimit)
        while !takesConnections {
            guard process.isRunning, !deadline.hasPassed else {
                throw BenchFailure("redis-server does not start")
            }
            sleep(until: .after(.milliseconds(5)))
        }
    }

    var url: String { "redis://127.0.0.1:\(port)" }

    private var takesConnections: Bool {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return false }
        defer { close(socket) }
        var address = LoopbackAddress(port: port)
        return address.withPointer { connect(socket, $0, $1) } == 0
    }
}
