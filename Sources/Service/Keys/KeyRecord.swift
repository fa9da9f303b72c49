import HTTPServer
import Primitives

/// What the keys file says about one key.
struct KeyRecord: Equatable, Sendable {
    var name: String
    var hash: KeyHash
    var scopes: [KeyScope]
    /// Event types, or beginnings of types such as `web.*`, that the key is bound to; all, if empty.
    var types: [String] = []
    /// Named queries that the key is bound to; if there are any, it may ask nothing else.
    var queries: [String] = []
    /// What it may use a second.
    var quota = Quota.Rates()
    /// Milliseconds since 1970.
    var created: Int64
    /// From when on it is refused; nil: never.
    var expires: Int64?

    /// The name of a key goes into sources of events, records and metrics.
    static let nameRule = "1 to 63 of the characters a-z 0-9 - _ ."
    static func isName(_ name: String) -> Bool {
        (1...63).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || "-_.".utf8.contains(byte)
            }
            // It is the source of events that name none, and nobody's key.
            && name != "anonymous"
    }

    /// Why the parts do not go together; nil if they do.
    var conflict: String? {
        if scopes.isEmpty { return "it needs a scope; there are: \(KeyScope.list)" }
        for scope in [KeyScope.admin, .querySQL] where scopes.contains(scope) {
            if !types.isEmpty || !queries.isEmpty {
                return "the scope \(scope.rawValue) reaches every event, so it does not go with "
                    + "types or queries"
            }
        }
        if quota.events != nil, !scopes.contains(.eventsWrite) {
            return "events-per-second counts what the scope events:write sends, which it lacks"
        }
        return nil
    }

    /// What a quota may be.
    static let rateRule = "a whole number from 1 to \(TokenBucket.rates.upperBound)"
    static func rate(_ text: String) -> Int? {
        // `Int` understands a sign, and nobody else's parser need agree on what that means.
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let rate = Int(text) else {
            return nil
        }
        return TokenBucket.rates.contains(rate) ? rate : nil
    }

    func isExpired(at now: Int64) -> Bool { expires.map { $0 <= now } ?? false }

    /// The element of the file's list that says all this.
    var yaml: String {
        var lines = [
            "- name: \(name)", "  sha256: \(hash.hex)",
            "  scopes: [\(scopes.map(\.rawValue).joined(separator: ", "))]",
        ]
        if !types.isEmpty { lines.append("  types: [\(KeyRecord.quoted(types))]") }
        if !queries.isEmpty { lines.append("  queries: [\(KeyRecord.quoted(queries))]") }
        if let rate = quota.requests { lines.append("  requests-per-second: \(rate)") }
        if let rate = quota.events { lines.append("  events-per-second: \(rate)") }
        lines.append("  created: \(Timestamp.format(created))")
        if let expires { lines.append("  expires: \(Timestamp.format(expires))") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// JSON's strings are YAML's.
    private static func quoted(_ texts: [String]) -> String {
        var buffer = ByteBuffer()
        for (index, text) in texts.enumerated() {
            if index > 0 { buffer.append(", ") }
            buffer.append(jsonString: text)
        }
        return buffer.text
    }
}
