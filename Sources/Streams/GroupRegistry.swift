import EventCoding
import Primitives
import Redis

/// The groups that nodes and sinks read with. Each registers itself in a hash of Redis,
/// `millrace:{0}:groups`, with the number of its partitions and a random word that changes with each
/// renewal.
///
/// A group that disappears takes its place in the streams with it, and what was trimmed before it is
/// made again is missed. So nothing is trimmed while one is absent. A trimmer does not see a group that is
/// made and goes between two of its looks; the registry has it from before it is made. The trimmer's
/// thread.
struct GroupRegistry {
    private struct Entry {
        var text: String
        var partitions: Int
        /// When the word was seen to change.
        var seen: MonotonicTime
    }

    private var entries: [String: Entry] = [:]
    /// Groups that were not renewed for a long time.
    private(set) var outdated: [String] = []

    /// Registers the group, or renews it.
    static func addEntry(of group: String, _ keys: StreamKeys, to pipeline: inout RedisPipeline) {
        let word = String(UInt64.random(in: .min ... .max), radix: 16)
        pipeline.command("HSET", keys.registry, group, "\(keys.count) \(word)")
    }

    static func addQuestion(_ keys: StreamKeys, to pipeline: inout RedisPipeline) {
        pipeline.command("HGETALL", keys.registry)
    }

    /// Takes the answer to `addQuestion`; one that is refused tells of no group.
    /// - Parameter limit: how long a group counts after it was renewed.
    mutating func found(_ reply: RedisReply, limit: Duration) {
        let texts = reply.error == nil ? reply.elements.map { $0.string ?? "" } : []
        let now = MonotonicTime.now()
        var found: [String: Entry] = [:]
        for index in stride(from: 0, to: texts.count - 1, by: 2) {
            let (group, text) = (texts[index], texts[index + 1])
            if let known = entries[group], known.text == text {
                found[group] = known
            } else {
                let partitions = text.split(separator: " ").first.flatMap { Int($0) } ?? 0
                found[group] = Entry(text: text, partitions: partitions, seen: now)
            }
        }
        entries = found
        outdated = found.filter { now.since($0.value.seen) >= limit }.map(\.key)
        for group in outdated { entries[group]?.partitions = 0 }
    }

    /// Groups that read the partition.
    func groups(of partition: Int) -> [String] {
        entries.filter { partition < $0.value.partitions }.map(\.key)
    }
}
