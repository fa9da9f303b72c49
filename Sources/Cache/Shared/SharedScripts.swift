import Primitives
import Redis

/// What runs inside Redis, so that looking and acting are one. Plain EVAL: in a pipeline, EVALSHA
/// can fail for a script that was flushed, and its fallback would need another turn.
///
/// Every number that is compared is a string of fixed width: numbers of Lua are doubles.
enum SharedScripts {
    /// Whether a purge came after the value was computed. Where the fences were evicted, the count
    /// decides for all of them.
    private static let fenced = """
        local function fenced(n, first)
          local f = redis.call('HMGET', KEYS[4], unpack(ARGV, first))
          for i = 1, #f do
            if f[i] and f[i] > n then return true end
          end
          if redis.call('EXISTS', KEYS[4]) == 1 then return false end
          local c = redis.call('GET', KEYS[3])
          return c and string.format('%016.0f', tonumber(c)) > n
        end

        """

    /// KEYS: value, lease, count, fences. ARGV: wanted set hash or '', token, lease in ms, fences.
    /// Returns the value, 1 for a lease that is ours now, or 0 for another node's. A Redis that is full
    /// refuses the lease; then everybody computes, and that it was read is no failure for the breaker.
    private static let read =
        fenced + """
            local head = redis.call('GETRANGE', KEYS[1], 0, 55)
            if string.sub(head, 1, 4) == 'MRC1'
               and (ARGV[1] == '' or string.sub(head, 41, 56) == ARGV[1])
               and not fenced(string.sub(head, 5, 20), 4) then
              local v = redis.call('GET', KEYS[1])
              if v then return v end
            end
            if redis.pcall('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then return 1 end
            if redis.call('GET', KEYS[2]) == ARGV[2] then return 1 end
            return 0
            """

    /// KEYS as above. ARGV: value, its purge count, its order, time to live in ms, token, fences.
    /// Returns 1 if it was stored, 0 if it was purged meanwhile or a fresher one is there.
    private static let write =
        fenced + """
            local stored = 0
            if not fenced(ARGV[2], 6) then
              local head = redis.call('GETRANGE', KEYS[1], 0, 55)
              if string.sub(head, 1, 4) ~= 'MRC1' or string.sub(head, 21, 40) <= ARGV[3]
                 or fenced(string.sub(head, 5, 20), 6) then
                redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[4])
                stored = 1
              end
            end
            if redis.call('GET', KEYS[2]) == ARGV[5] then redis.call('DEL', KEYS[2]) end
            return stored
            """

    private static let release = """
        if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
        return 0
        """

    /// KEYS: purges, count, fences. ARGV: fence, kind, argument, run, time to live in s.
    /// Returns the count.
    private static let purge = """
        local n = redis.call('INCR', KEYS[2])
        if n < 1000000000000 then
          local t = redis.call('TIME')
          n = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
          redis.call('SET', KEYS[2], string.format('%.0f', n))
        end
        local count = string.format('%016.0f', n)
        redis.call('HSET', KEYS[3], ARGV[1], count)
        redis.call('XADD', KEYS[1], 'MAXLEN', '~', '1000', '*', 'n', count, 'kind', ARGV[2],
          'arg', ARGV[3], 'run', ARGV[4])
        for i = 1, 3 do redis.call('EXPIRE', KEYS[i], ARGV[5]) end
        return count
        """

    static func read(
        _ keys: SharedKeys, wanted: String, token: String, leaseMilliseconds: Int64,
        into pipeline: inout RedisPipeline
    ) {
        begin(read, keys, argumentCount: 3 + keys.fences.count, &pipeline)
        pipeline.add(wanted)
        pipeline.add(token)
        pipeline.add(decimal: Int(leaseMilliseconds))
        for fence in keys.fences { pipeline.add(fence) }
    }

    static func write(
        _ keys: SharedKeys, value: Bytes, purgeCount: String, order: String,
        milliseconds: Int64, token: String, into pipeline: inout RedisPipeline
    ) {
        begin(write, keys, argumentCount: 5 + keys.fences.count, &pipeline)
        pipeline.add(value.span)
        pipeline.add(purgeCount)
        pipeline.add(order)
        pipeline.add(decimal: Int(milliseconds))
        pipeline.add(token)
        for fence in keys.fences { pipeline.add(fence) }
    }

    static func release(_ keys: SharedKeys, token: String, into pipeline: inout RedisPipeline) {
        pipeline.command("EVAL", release, "1", keys.lease, token)
    }

    static func purge(
        fence: String, kind: String, argument: String, run: String,
        into pipeline: inout RedisPipeline
    ) {
        pipeline.command(
            "EVAL", purge, "3", SharedKeys.purges, SharedKeys.count, SharedKeys.fences, fence,
            kind, argument, run, String(SharedKeys.timeToLive.components.seconds))
    }

    private static func begin(
        _ script: String, _ keys: SharedKeys, argumentCount: Int,
        _ pipeline: inout RedisPipeline
    ) {
        pipeline.begin("EVAL", argumentCount: 6 + argumentCount)
        pipeline.add(script)
        pipeline.add(literal: "4")
        pipeline.add(keys.value)
        pipeline.add(keys.lease)
        pipeline.add(SharedKeys.count)
        pipeline.add(SharedKeys.fences)
    }
}
