import Primitives
import Redis

/// Removing what a purge only hides: an answer that was purged is no longer given out, but lies in
/// Redis until its time is over.
extension RedisTier {
    private static let scannedKeys = "1000"
    /// For the fence of a purge: a call takes at most a quarter of it.
    private static let purgeWait = Duration.seconds(1)

    /// Deletes all answers in Redis, those of other nodes as well. Blocks for as long as it takes to
    /// look at every key of that Redis: a million in about a second.
    ///
    /// Begins once Redis has the purges that came before: an answer that is on its way there would be
    /// stored after the keys were looked at, but for their fences.
    /// - Returns: false if Redis failed before the end, or does not have those purges soon.
    package func removeAll() -> Bool {
        guard purges.waitUntilSent(.after(RedisTier.purgeWait)) else { return false }
        var cursor = "0"
        repeat {
            do throws(RedisError) { cursor = try removeSome(from: cursor) } catch {
                log.debug("answers in redis are not removed yet") { $0.add("error", error) }
                return false
            }
        } while cursor != "0"
        return true
    }

    /// - Returns: where to go on; `0` at the end.
    private func removeSome(from cursor: String) throws(RedisError) -> String {
        var scan = RedisPipeline()
        scan.command(
            "SCAN", cursor, "MATCH", SharedKeys.values + "*", "COUNT", RedisTier.scannedKeys)
        let (next, keys) = try redis.call(
            .cache, within: GuardedRedis.requestLimit, isQuestion: true
        ) { session throws(RedisError) -> (String, [String]) in
            let reply = try session.single(scan)
            let keys = reply.elements[1]?.elements.compactMap { $0.string } ?? []
            return (reply.elements[0]?.string ?? "0", keys)
        }
        guard !keys.isEmpty else { return next }
        var unlink = RedisPipeline()
        unlink.begin("UNLINK", argumentCount: keys.count)
        for key in keys { unlink.add(key) }
        try redis.call(.cache, within: GuardedRedis.requestLimit) { session throws(RedisError) in
            _ = try session.single(unlink)
        }
        return next
    }
}
