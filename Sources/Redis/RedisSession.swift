import Primitives

/// A connection lent for one guarded call. It exists only inside the closure that
/// `GuardedRedis.call` runs, on that thread.
package struct RedisSession: ~Copyable {
    /// When the call's time is up; every `send` ends by then.
    package let deadline: Deadline
    private let connection: RedisConnection

    init(_ connection: RedisConnection, deadline: Deadline) {
        self.connection = connection
        self.deadline = deadline
    }

    /// Sends all commands at once and reads a reply for each. An error reply is a reply: look at
    /// every one. They are valid until the next `send`.
    /// - Throws: `.connection`, `.timeout` or `.protocolViolation`; further sends then fail too.
    package func send(
        _ pipeline: borrowing RedisPipeline
    ) throws(RedisError) -> RedisReplies {
        try connection.send(pipeline, deadline: deadline)
    }

    /// Ends the connection for a reply that no command of ours can have, as what comes next may be
    /// another command's too. The breaker counts it as it counts a connection that broke.
    /// - Returns: `error`, to be thrown.
    package func reject(_ error: RedisError) -> RedisError {
        connection.breakOff()
        return error
    }

    /// Sends one command and returns its reply, valid until the next `send`.
    /// - Throws: also what the server refused.
    package func single(_ pipeline: borrowing RedisPipeline) throws(RedisError) -> RedisReply {
        precondition(pipeline.commandCount == 1, "one command, one reply")
        guard let reply = try connection.send(pipeline, deadline: deadline).first else {
            throw RedisError(.unexpectedReply, "no reply")
        }
        if let error = reply.error { throw error }
        return reply
    }
}
