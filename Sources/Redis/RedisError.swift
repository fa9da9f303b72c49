/// What went wrong with a call to Redis. The message never holds a password or a client's data.
package struct RedisError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        // The call got no answer.
        /// The connection was refused, reset or closed.
        case connection
        /// The deadline passed. What was sent may still have been carried out.
        case timeout
        /// What came back is not the Redis protocol.
        case protocolViolation = "protocol"

        // The call was not made.
        case breakerOpen = "breaker_open"
        /// All connections of the lane were busy until the deadline.
        case poolExhausted = "pool_exhausted"
        /// The service is shutting down.
        case closed
        /// The caller gave up.
        case cancelled
        case invalidURL = "invalid_url"
        /// Redis answered, but not what the command's documentation promises.
        case unexpectedReply = "unexpected_reply"

        // The server's answer, by its first word.
        case loading, readOnly, masterDown, clusterDown, tryAgain, misconfigured, noAuth
        case wrongPassword, noPermission, outOfMemory, moved, ask, noGroup, busyGroup
        case wrongType, noScript, busyKey, busyScript, otherServer
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "Redis \(code.rawValue): \(message)" }
}

extension RedisError.Code {
    /// The connection cannot be used again: a late reply would be taken for the next command's.
    package var endsConnection: Bool {
        self == .connection || self == .timeout || self == .protocolViolation
    }

    /// The server answered that it cannot serve now. OOM is refused to commands that write only.
    package var isServerFailure: Bool {
        switch self {
        case .loading, .readOnly, .masterDown, .clusterDown, .misconfigured, .noAuth,
            .outOfMemory, .busyScript:
            true
        default: false
        }
    }

    /// Another connection may do better: behind the same address may now be another server.
    var asksForNewConnection: Bool {
        self == .readOnly || self == .masterDown || self == .noAuth
    }

    /// A later attempt may succeed. Whether it may be made is for the caller to know: a call that
    /// got no answer may have been carried out.
    package var isTransient: Bool {
        endsConnection || isServerFailure || self == .tryAgain
    }

    /// The class of a server's error by its first word (redis.io/docs/reference/protocol-spec).
    init(firstWord word: UnsafeRawBufferPointer) {
        let known = RedisError.Code.words.first { known in
            word.elementsEqual(
                UnsafeRawBufferPointer(
                    start: known.word.utf8Start, count: known.word.utf8CodeUnitCount))
        }
        self = known?.code ?? .otherServer
    }

    private static let words: [(word: StaticString, code: RedisError.Code)] = [
        ("LOADING", .loading), ("READONLY", .readOnly), ("MASTERDOWN", .masterDown),
        ("CLUSTERDOWN", .clusterDown), ("TRYAGAIN", .tryAgain), ("MISCONF", .misconfigured),
        ("NOAUTH", .noAuth), ("WRONGPASS", .wrongPassword), ("NOPERM", .noPermission),
        ("OOM", .outOfMemory), ("MOVED", .moved), ("ASK", .ask), ("NOGROUP", .noGroup),
        ("BUSYGROUP", .busyGroup), ("WRONGTYPE", .wrongType), ("NOSCRIPT", .noScript),
        ("BUSYKEY", .busyKey), ("BUSY", .busyScript),
    ]
}

extension RedisError {
    /// Enough of a message to know it by.
    private static let messageLimitBytes = 200

    /// Reads an error reply. `ERR unknown command` repeats the command's arguments, which may be a
    /// client's data: they are cut off.
    init(serverMessage bytes: UnsafeRawBufferPointer) {
        let end = bytes.firstIndex(of: UInt8(ascii: " ")) ?? bytes.endIndex
        let code = Code(firstWord: UnsafeRawBufferPointer(rebasing: bytes[..<end]))
        let printable = bytes.prefix(RedisError.messageLimitBytes).map {
            $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: "?") : $0
        }
        let text = String(decoding: printable, as: UTF8.self)
        let echo = ", with args beginning with"
        var kept = Substring(text)
        if text.contains("unknown command") {
            for index in text.indices where text[index...].hasPrefix(echo) {
                kept = text[..<index]
                break
            }
        }
        self.init(code, String(kept))
    }
}
