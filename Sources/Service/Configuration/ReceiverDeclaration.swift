import HTTPClient

/// What every declaration of a receiver of HTTP requests has: a URL, a timeout and headers.
enum ReceiverDeclaration {
    static let nameRule = "1 to 63 of the characters a-z 0-9 - _"

    /// The headers of an entry, `authorization` among them.
    static func headers(of entry: SectionEntry) -> [String: String] {
        var headers: [String: String] = [:]
        if let authorization = entry.text("authorization") {
            headers["Authorization"] = authorization
        }
        for field in entry.fields where field.key.hasPrefix("headers.") {
            headers[String(field.key.dropFirst("headers.".count))] = field.entry.text
        }
        return headers
    }

    /// The row of a field; nil if no receiver has it.
    /// - Parameters:
    ///   - plainPaths: of URLs, which need not be masked.
    ///   - reserved: names of headers, in lower case, that an entry may not set.
    static func row(
        _ section: String, _ entry: String, _ path: [String], plainPaths: [String] = ["", "/"],
        reserved: [String] = []
    ) -> SettingRow? {
        let name = name(section, entry, path)
        switch path {
        case ["url"]:
            return SectionForm.row(name, SinkForms.url) { maskURL($0, plainPaths: plainPaths) }
        case ["timeout"]: return SectionForm.row(name, SinkForms.timeout)
        case ["authorization"]:
            return SectionForm.row(name, SinkForms.headerValue, isSecret: true)
        default:
            guard path.count == 2, path[0] == "headers", SinkForms.isHeaderName(path[1]),
                !reserved.contains(path[1].lowercased())
            else { return nil }
            return SectionForm.row(name, SinkForms.headerValue, isSecret: true)
        }
    }

    static func name(_ section: String, _ entry: String, _ path: [String]) -> String {
        ([section, entry] + path).joined(separator: "-")
    }

    @Sendable static func hint(_ path: [String]) -> String? {
        path.count == 2 && path[0] == "headers"
            ? "`\(path[1])` is no header that can be set" : nil
    }

    /// Users put tokens into the path of a receiver.
    private static func maskURL(_ url: String, plainPaths: [String]) -> String {
        guard SinkForms.url.parse(url) != nil else { return "********" }
        let origin = HTTPReceiver.origin(of: url)
        return plainPaths.contains(String(url.dropFirst(origin.count)))
            ? url : origin + "/********"
    }
}
