import Primitives
import TestSupport
import Testing

/// One way in which Redis can fail: how it begins and how it ends.
struct StreamFault: Sendable, CustomTestStringConvertible {
    /// What a fault happens to.
    struct Scene: Sendable {
        let redis: RedisServer
        /// Between the service and the Redis, if the fault lies there.
        let proxy: FaultProxy?
    }

    let name: String
    /// The class of the error that the service must see, as in `last_error`.
    let error: String
    /// Of redis-server.
    var arguments: [String] = []
    var isProxied = false
    /// Redis comes back without what it had acknowledged.
    var losesData = false
    let begin: @Sendable (Scene) throws -> Void
    let end: @Sendable (Scene) throws -> Void

    var testDescription: String { name }

    static let all = ofTheProcess + ofTheWay + ofTheAnswers

    // MARK: The process

    private static let ofTheProcess = [
        StreamFault(
            name: "killed, back with its data", error: "connection",
            arguments: ["--appendonly", "yes", "--appendfsync", "always"],
            begin: { $0.redis.kill() }, end: { try $0.redis.start() }),
        StreamFault(
            name: "killed, back without its data", error: "connection", losesData: true,
            begin: { $0.redis.kill() }, end: { try $0.redis.start(withData: false) }),
        StreamFault(
            name: "stopped", error: "timeout",
            begin: { $0.redis.pause() }, end: { $0.redis.resume() }),
    ]

    // MARK: The way there

    private static let ofTheWay = [
        way("reset", "connection", .reset),
        way("half-closed", "connection", .halfClose),
        way("slow", "timeout", .delay(.milliseconds(600))),
        way("trickling", "timeout", .trickle(.milliseconds(20))),
        way("garbage", "protocol", .garbage("HTTP/1.1 400 Bad Request\r\n\r\n")),
    ]

    private static func way(
        _ name: String, _ error: String, _ fault: FaultProxy.Fault
    ) -> StreamFault {
        StreamFault(
            name: name, error: error, isProxied: true, begin: { $0.proxy?.set(fault) },
            end: { $0.proxy?.set(.none) })
    }

    // MARK: Real answers

    private static let ofTheAnswers = [
        StreamFault(
            name: "loading", error: "loading",
            begin: { scene in
                // So many keys to load that it takes 20 s, unless it is told to hurry.
                try scene.redis.command("DEBUG", "POPULATE", "20000", "filler")
                try scene.redis.save()
                try scene.redis.start(
                    [
                        "--key-load-delay", "1000", "--loading-process-events-interval-bytes",
                        "1024",
                    ], isLoaded: false)
            }, end: { try $0.redis.command("CONFIG", "SET", "key-load-delay", "0") }),
        StreamFault(
            name: "a replica", error: "readOnly",
            begin: { try $0.redis.command("REPLICAOF", "127.0.0.1", "1") },
            end: { try $0.redis.command("REPLICAOF", "NO", "ONE") }),
        StreamFault(
            name: "full", error: "outOfMemory",
            begin: { try $0.redis.command("CONFIG", "SET", "maxmemory", "1") },
            end: { try $0.redis.command("CONFIG", "SET", "maxmemory", "0") }),
        StreamFault(
            name: "cannot save", error: "misconfigured",
            begin: { try $0.redis.breakSaving() }, end: { try $0.redis.mendSaving() }),
    ]
}
