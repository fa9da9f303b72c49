internal import CHiredis
internal import Glibc
import Primitives

/// One connection to one Redis. Every wait ends at one absolute deadline, whatever the peer does;
/// after an error that leaves the conversation's state unknown it is broken and must be dropped.
///
/// Internal to this room: `GuardedRedis` is the only way to it, so no call goes without a breaker.
///
/// hiredis resolves, connects and parses. Writing is our own `send`, from our own buffer: hiredis
/// copies every command once more, and writes without MSG_NOSIGNAL, so that a peer that is gone
/// would end a process that does not ignore SIGPIPE.
final class RedisConnection: @unchecked Sendable {  // One thread at a time: the pool lends it.
    /// The connection cannot be used again.
    private(set) var isBroken = false
    /// Since `beginCall`: whether anything was sent, and what the server failed with.
    private(set) var hasSent = false
    /// When the last reply was there; nil before the first `send` of a call that sends anything.
    private(set) var answeredAt: MonotonicTime?
    private(set) var serverFailure: RedisError?

    private let context: UnsafeMutablePointer<redisContext>
    private let arena: UnsafeMutablePointer<ReplyArena>

    /// Replies of one call above this are a mistake or an attack; the largest read of ours asks for
    /// some ten MiB.
    private static let replyLimitBytes = 256 << 20

    /// Connects. A host name is looked up by `getaddrinfo`, which keeps its own time, not ours.
    /// The corresponding C functions are `redisConnectNonBlock` and `redisConnectUnixNonBlock`.
    init(to endpoint: RedisEndpoint, deadline: Deadline) throws(RedisError) {
        let opened =
            switch endpoint {
            case .tcp(let host, let port): redisConnectNonBlock(host, Int32(port))
            case .unix(let path): redisConnectUnixNonBlock(path)
            }
        guard let opened else { throw RedisError(.connection, "out of memory") }
        guard opened.pointee.err == 0 else {
            let error = RedisConnection.error(of: opened)
            redisFree(opened)
            throw error
        }
        context = opened
        arena = .allocate(capacity: 1)
        arena.initialize(to: ReplyArena())
        // Our functions and our memory from the first reply on; hiredis has read nothing yet.
        opened.pointee.reader.pointee.fn = replyArenaFunctions
        opened.pointee.reader.pointee.privdata = UnsafeMutableRawPointer(arena)
        // A child process must not hold the connection open.
        _ = fcntl(opened.pointee.fd, F_SETFD, FD_CLOEXEC)
        try finishConnecting(deadline)
    }

    deinit {
        if isBroken { forgetUnsent() }
        redisFree(context)
        arena.deinitialize(count: 1)
        arena.deallocate()
    }

    /// What the network has not delivered yet would otherwise be sent again after closing, and be
    /// carried out when others have long been told that it was not.
    private func forgetUnsent() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            context.pointee.fd, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    }

    /// Forgets what the call before saw.
    func beginCall() {
        hasSent = false
        answeredAt = nil
        serverFailure = nil
    }

    /// What comes in cannot be relied on.
    func breakOff() { isBroken = true }

    /// Whether the peer closed it, or sent what nobody asked for, while it lay idle.
    var isStale: Bool {
        var poll = pollfd(fd: context.pointee.fd, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, 0) != 0
    }

    /// Sends all commands at once and reads a reply for each. Error replies are replies.
    /// - Returns: a look at the replies, valid until the next `send`.
    /// - Throws: `.connection`, `.timeout` or `.protocolViolation`; it is then broken.
    func send(
        _ pipeline: borrowing RedisPipeline, deadline: Deadline
    ) throws(RedisError) -> RedisReplies {
        precondition(pipeline.isComplete, "the last command lacks arguments")
        guard !isBroken else { throw RedisError(.connection, "the connection is broken") }
        arena.pointee.removeAll()
        if !pipeline.isEmpty {
            hasSent = true
            // Broken until the last reply is here: whichever way out, nobody finds half a reply.
            isBroken = true
            try exchange(pipeline.bytes.span, replyCount: pipeline.commandCount, deadline)
            isBroken = false
            answeredAt = .now()
        }
        return RedisReplies(
            nodes: arena.pointee.nodes, text: arena.pointee.bytes.base, next: 0,
            count: pipeline.commandCount)
    }

    // MARK: Private

    private func finishConnecting(_ deadline: Deadline) throws(RedisError) {
        _ = try wait(for: POLLOUT, deadline)
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let result = getsockopt(context.pointee.fd, SOL_SOCKET, SO_ERROR, &code, &size)
        if result != 0 { code = errno }
        if code != 0 { throw RedisError(.connection, String(cString: strerror(code))) }
    }

    /// Writes and reads by turns: a peer that answers while we still write must find a reader.
    private func exchange(
        _ bytes: UnsafeRawBufferPointer, replyCount: Int, _ deadline: Deadline
    ) throws(RedisError) {
        var rest = bytes
        var missing = replyCount
        try write(&rest)
        while missing > 0 {
            let ready = try wait(for: rest.isEmpty ? POLLIN : POLLIN | POLLOUT, deadline)
            if ready & POLLOUT != 0 { try write(&rest) }
            // An error or a hang-up is read too: reading says which it is.
            if ready & ~POLLOUT != 0 { try read(&missing) }
        }
        let reader = context.pointee.reader.pointee
        guard rest.isEmpty, reader.pos == reader.len else {
            throw RedisError(.protocolViolation, "more was answered than was asked")
        }
    }

    /// Writes what the socket takes now. The corresponding C function is `send`.
    private func write(_ rest: inout UnsafeRawBufferPointer) throws(RedisError) {
        while !rest.isEmpty {
            let written = Glibc.send(
                context.pointee.fd, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            if written >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            } else if errno == EAGAIN {
                return
            } else if errno != EINTR {
                throw RedisError(.connection, String(cString: strerror(errno)))
            }
        }
    }

    /// Reads what has come and takes the replies that are whole.
    private func read(_ missing: inout Int) throws(RedisError) {
        guard redisBufferRead(context) == REDIS_OK else {
            throw RedisConnection.error(of: context)
        }
        while missing > 0 {
            let first = arena.pointee.nodeCount
            var reply: UnsafeMutableRawPointer?
            guard redisGetReplyFromReader(context, &reply) == REDIS_OK else {
                throw RedisConnection.error(of: context)
            }
            guard reply != nil else { break }
            arena.pointee.seal()
            missing -= 1
            note(replyAt: first)
        }
        guard
            arena.pointee.byteCount + context.pointee.reader.pointee.len
                <= RedisConnection.replyLimitBytes
        else { throw RedisError(.protocolViolation, "the replies are too large") }
    }

    /// Remembers a server's failure for the breaker, whether or not the caller looks at the reply.
    private func note(replyAt index: Int) {
        let reply = RedisReply(
            nodes: arena.pointee.nodes, text: arena.pointee.bytes.base, index: index)
        guard serverFailure == nil, let code = reply.errorCode, code.isServerFailure else { return }
        serverFailure = reply.error
    }

    /// Waits until the socket is ready or broken. The corresponding C function is `poll`.
    private func wait(for events: Int32, _ deadline: Deadline) throws(RedisError) -> Int32 {
        while true {
            // Asked each time, and not only when nothing comes: a peer that trickles is always
            // ready.
            guard !deadline.hasPassed else { throw RedisError(.timeout, "the deadline passed") }
            var poll = pollfd(fd: context.pointee.fd, events: Int16(events), revents: 0)
            let result = Glibc.poll(&poll, 1, RedisConnection.pollMilliseconds(deadline))
            if result > 0 { return Int32(poll.revents) }
            if result < 0, errno != EINTR {
                throw RedisError(.connection, String(cString: strerror(errno)))
            }
        }
    }

    /// Rounded up, so that the last wait does not spin; at most a minute, so that it fits.
    private static func pollMilliseconds(_ deadline: Deadline) -> Int32 {
        let most: Int64 = 60_000
        if deadline == .never { return Int32(most) }
        return Int32(min(most, deadline.remaining.wholeMilliseconds + 1))
    }

    /// The one way from a context's error to ours (hiredis/read.h).
    private static func error(of context: UnsafeMutablePointer<redisContext>) -> RedisError {
        let message = withUnsafeBytes(of: &context.pointee.errstr) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        switch context.pointee.err {
        case REDIS_ERR_PROTOCOL:
            // hiredis quotes the byte it did not expect, which is the peer's, not a client's.
            return RedisError(.protocolViolation, message)
        case REDIS_ERR_EOF: return RedisError(.connection, "the server closed the connection")
        default: return RedisError(.connection, message)
        }
    }
}
