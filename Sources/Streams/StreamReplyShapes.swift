import Redis

// What is no Redis, or no longer one, may answer with anything, and "OK" is not "there is none": an
// entry that is believed to be gone is acknowledged, and then it is. So whatever takes a reply apart
// throws where that is not what the command's documentation promises.

extension RedisReply {
    /// XREADGROUP: keys with their entries, or null.
    /// - Throws: `.unexpectedReply`.
    func expectNewEntries() throws(RedisError) {
        // Whatever answers at once with something else would be asked again at once.
        guard kind == .array || isNull else { throw .unexpected("XREADGROUP") }
    }

    /// TIME: seconds and microseconds, here milliseconds since 1970; nil if it is something else.
    package var time: Int64? {
        guard let seconds = elements.first?.integer, (0...1 << 40).contains(seconds),
            let rest = elements[1]?.integer
        else { return nil }
        return seconds * 1000 + rest / 1000
    }
}

extension RedisError {
    /// - Parameter command: whose answer it should have been.
    package static func unexpected(_ command: String) -> RedisError {
        RedisError(.unexpectedReply, "\(command) was not answered as it should be")
    }
}
