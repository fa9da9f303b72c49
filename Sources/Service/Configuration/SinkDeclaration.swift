import Events

/// A sink as the configuration file declares it: a name, and the settings that are there.
///
///     sinks:
///       audit: { url: "https://audit.example.com/in", types: [order.*, signup], batch-size: 500 }
struct SinkDeclaration: Sendable {
    let name: String
    /// By their keys below the sink.
    private(set) var rows: [String: SettingRow] = [:]

    static let section = "sinks"
    static let keys = ["url", "types", "type", "batch-size", "timeout", "authorization", "headers"]
    /// Each has threads and connections of its own.
    static let countLimit = 32

    init(name: String) { self.name = name }

    /// Notes that the file sets a key.
    /// - Returns: its row; nil if there is no such key.
    mutating func add(_ path: [String]) -> SettingRow? {
        guard let row = SinkDeclaration.row(name, path) else { return nil }
        rows[path.joined(separator: ".")] = row
        return row
    }

    /// What the declaration means. Every text has been checked.
    func options(_ values: ResolvedSettings) -> SinkOptions {
        func text(_ key: String) -> String? { rows[key].map { values.entry($0).text } }
        var options = SinkOptions(
            name: name, url: text("url") ?? "",
            filter: SinkFilter(text("types").flatMap(SinkForms.types.parse) ?? []))
        if let size = text("batch-size").flatMap(SinkForms.batchSize.parse) {
            options.batchSize = size
        }
        if let timeout = text("timeout").flatMap(SinkForms.timeout.parse) {
            options.timeout = timeout
        }
        if let authorization = text("authorization") {
            options.headers["Authorization"] = authorization
        }
        for key in rows.keys where key.hasPrefix("headers.") {
            options.headers[String(key.dropFirst("headers.".count))] = text(key)
        }
        return options
    }

    private static func row(_ sink: String, _ path: [String]) -> SettingRow? {
        let name = ([section, sink] + path).joined(separator: "-")
        switch path {
        case ["url"]: return row(name, SinkForms.url, mask: maskURL)
        case ["type"]: return row(name, SinkForms.kind)
        case ["types"]: return row(name, SinkForms.types)
        case ["batch-size"]: return row(name, SinkForms.batchSize)
        case ["timeout"]: return row(name, SinkForms.timeout)
        case ["authorization"]: return row(name, SinkForms.headerValue, isSecret: true)
        default:
            guard path.count == 2, path[0] == "headers", SinkForms.isHeaderName(path[1]) else {
                return nil
            }
            return row(name, SinkForms.headerValue, isSecret: true)
        }
    }

    private static func row<Value>(
        _ name: String, _ form: ValueForm<Value>, isSecret: Bool = false,
        mask: (@Sendable (String) -> String)? = nil
    ) -> SettingRow {
        SettingRow(
            name: name, help: "", placeholder: form.placeholder, expectation: form.expectation,
            defaultText: "", isSecret: isSecret, accepts: { form.parse($0) != nil }, mask: mask)
    }

    /// Receivers like to put a token into the path.
    @Sendable private static func maskURL(_ url: String) -> String {
        guard SinkForms.url.parse(url) != nil else { return "********" }
        let origin = SinkOptions(name: "", url: url).origin
        return url.utf8.count > origin.utf8.count + 1 ? origin + "/********" : url
    }
}
