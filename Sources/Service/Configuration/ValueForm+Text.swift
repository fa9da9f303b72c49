import Redis
import Telemetry

extension ValueForm where Value == LogLevel {
    static var level: ValueForm {
        let names = LogLevel.allCases.map(\.name).joined(separator: ", ")
        return ValueForm(
            placeholder: "level", expectation: "one of \(names) (warn is understood)",
            parse: { LogLevel(name: $0) })
    }
}

extension ValueForm where Value == String {
    /// An address or a name to listen on, without a port.
    static var host: ValueForm {
        ValueForm(
            placeholder: "address",
            expectation:
                "an address or host name without a port, such as 127.0.0.1, ::1 or 0.0.0.0",
            parse: { ListenHost.isHost($0) ? $0 : nil })
    }

    static var directory: ValueForm {
        ValueForm(
            placeholder: "dir", expectation: "the path of a directory",
            parse: { $0.isEmpty || $0.contains("\0") ? nil : $0 })
    }
}

extension ValueForm where Value == String? {
    /// The path of a file; an empty text is none.
    static var optionalFile: ValueForm {
        ValueForm(
            placeholder: "file", expectation: "the path of a file",
            parse: { $0.contains("\0") ? nil : .some($0.isEmpty ? nil : $0) })
    }
}

extension ValueForm where Value == RedisURL? {
    /// Where Redis is; an empty text is nowhere.
    static var redisURL: ValueForm {
        ValueForm(
            placeholder: "url",
            expectation: "a URL such as redis://127.0.0.1:6379, redis://user:password@host:6379/0 "
                + "or unix:///run/redis.sock (special characters of a password percent-encoded)",
            parse: { text in
                if text.isEmpty { return .some(nil) }
                return (try? RedisURL(parsing: text)).map { .some($0) }
            },
            explain: { text in
                do throws(RedisError) {
                    _ = try RedisURL(parsing: text)
                    return nil
                } catch {
                    return error.message
                }
            },
            mask: { text in (try? RedisURL(parsing: text))?.description ?? "********" })
    }
}

extension ValueForm where Value == String {
    /// The name of a node or a group; empty where something else stands in for it.
    static var nodeName: ValueForm {
        ValueForm(
            placeholder: "name",
            expectation: "a name of at most 128 letters, digits, '.', '_' and '-'",
            parse: { text in
                let isName =
                    text.utf8.count <= 128
                    && text.allSatisfy {
                        $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0))
                    }
                return isName ? text : nil
            })
    }
}

extension ValueForm where Value == String {
    /// A text of any kind, or none.
    static var optionalText: ValueForm {
        ValueForm(placeholder: "text", expectation: "a text", parse: { $0 })
    }

    /// The name under which a key is known.
    static var keyID: ValueForm {
        ValueForm(
            placeholder: "id", expectation: "a name of 1 to 16 letters and digits",
            parse: { text in
                let isName =
                    (1...16).contains(text.utf8.count)
                    && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
                return isName ? text : nil
            })
    }
}

extension ValueForm where Value == [String] {
    /// A comma list of texts.
    static var list: ValueForm {
        ValueForm(
            placeholder: "list", expectation: "a list of texts that are not empty",
            parse: { text in
                if text.isEmpty { return [] }
                let texts = text.split(separator: ",", omittingEmptySubsequences: false)
                    .map { String($0.trimmingSpaces) }
                return texts.contains("") ? nil : texts
            })
    }

    /// Origins as browsers send them (RFC 6454): scheme, host, and a port if it is unusual.
    static var origins: ValueForm {
        ValueForm(
            placeholder: "origins",
            expectation: "a comma list of origins such as https://app.example.com, or *",
            parse: { text in
                if text.isEmpty { return [] }
                let origins = text.split(separator: ",", omittingEmptySubsequences: false)
                    .map { String($0.trimmingSpaces) }
                return origins == ["*"] || origins.allSatisfy(isOrigin) ? origins : nil
            })
    }

    /// Names of hosts, without ports; in lower case, as hosts compare.
    static var hosts: ValueForm {
        ValueForm(
            placeholder: "hosts",
            expectation: "a comma list of host names without ports, such as millrace.internal",
            parse: { text in
                if text.isEmpty { return [] }
                let hosts = text.split(separator: ",", omittingEmptySubsequences: false)
                    .map { $0.trimmingSpaces.lowercased() }
                return hosts.allSatisfy(ListenHost.isHost) ? hosts : nil
            })
    }

    private static func isOrigin(_ text: String) -> Bool {
        guard let scheme = ["http://", "https://"].first(where: { text.hasPrefix($0) }) else {
            return false
        }
        let rest = text.dropFirst(scheme.count)
        let refused: Set<Character> = ["/", "?", "#", "@", "*", " ", "\""]
        return !rest.isEmpty && rest.allSatisfy { $0.isASCII && !refused.contains($0) }
    }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring {
        var rest = drop { $0 == " " }
        while rest.last == " " { rest.removeLast() }
        return rest
    }
}
