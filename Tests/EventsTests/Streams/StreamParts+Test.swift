import Redis
import Storage
import Telemetry
import TestSupport

@testable import Journal
@testable import Streams

extension StreamParts {
    /// Those of a node `n` with the group `g`, with a journal and a store in `directory`.
    static func make(
        in directory: TemporaryDirectory, _ redis: GuardedRedis, partitions: Int = 1,
        log: Logger = .silent
    ) throws -> StreamParts {
        var options = StreamOptions(node: "n", group: "g")
        options.partitions = partitions
        let store = try EventStore(path: directory.file("store.db"), now: 1, log: .silent)
        let journal = try Journal(
            options: JournalOptions(directory: directory.file("journal")), log: .silent)
        return StreamParts(
            journal: journal, store: store, redis: redis, options: options,
            keys: StreamKeys(partitions: partitions),
            queue: StreamQueue(partitions: partitions, journal: journal, store: store),
            lossDetector: RedisLossDetector(
                partitions: partitions, checkpoint: ForwarderCheckpoint(),
                connectionsMade: { redis.connectionsMade }),
            exchange: ErasureExchange(node: options.node, book: store.erasures), log: log)
    }
}
