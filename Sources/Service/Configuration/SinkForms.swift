/// What the values of a sink's settings must look like.
enum SinkForms {
    static let url = ValueForm<String>(
        placeholder: "url",
        expectation: "an http:// or https:// URL with a host and without user and password",
        parse: { isURL($0) ? $0 : nil })

    static let kind = ValueForm<String>(
        placeholder: "type", expectation: "http, the one type of sink there is",
        parse: { $0 == "http" ? $0 : nil })

    static let types = ValueForm<[String]>(
        placeholder: "types",
        expectation: "a list of at most 100 event types, or beginnings of types such as order.*, "
            + "with the * at the end alone",
        parse: { text in
            if text.isEmpty { return [] }
            let types = text.split(separator: ",", omittingEmptySubsequences: false)
                .map { $0.drop { $0 == " " } }
                .map { String($0.reversed().drop { $0 == " " }.reversed()) }
            let isRight =
                types.count <= 100
                && types.allSatisfy { type in
                    (1...255).contains(type.utf8.count) && !type.dropLast().contains("*")
                }
            return isRight ? types : nil
        })

    static let batchSize = ValueForm<Int>.integer(1...10_000)
    /// A node that died is noticed after two attempts' time, so they should not be long.
    static let timeout = ValueForm<Duration>.duration(.milliseconds(100)...(.seconds(30)))

    static let headerValue = ValueForm<String>(
        placeholder: "value", expectation: "a header's value: printable characters on one line",
        parse: { text in
            let isRight = !text.isEmpty && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
            return isRight ? text : nil
        })

    /// Names go into metrics and URLs.
    static func isName(_ name: String) -> Bool {
        (1...63).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
    }

    /// Those that the client sets itself would be there twice.
    static func isHeaderName(_ name: String) -> Bool {
        let own = ["content-type", "content-length", "host", "expect", "transfer-encoding"]
        return (1...64).contains(name.utf8.count) && !own.contains(name.lowercased())
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
    }

    static func isURL(_ text: String) -> Bool {
        let scheme = ["http://", "https://"].first { text.lowercased().hasPrefix($0) }
        guard let scheme, text.utf8.count <= 2000,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return false }
        let authority = text.dropFirst(scheme.count).prefix { !"/?#".contains($0) }
        guard !authority.isEmpty, !authority.contains("@") else { return false }
        var host = authority
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            host = authority[..<colon]
            let port = Int(authority[authority.index(after: colon)...])
            guard let port, (1...65_535).contains(port) else { return false }
        }
        return ListenHost.isHost(
            host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : String(host))
    }
}
