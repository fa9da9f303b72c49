import Events

/// Sinks as the configuration file declares them: a name, and the settings that are there.
///
///     sinks:
///       audit: { url: "https://audit.example.com/in", types: [order.*, signup], batch-size: 500 }
enum SinkDeclaration {
    static let form = SectionForm(
        name: "sinks", noun: "sink", example: "url, types and so on",
        // Each has threads and connections of its own.
        countLimit: 32,
        isName: SinkForms.isName, nameRule: "1 to 63 of the characters a-z 0-9 - _",
        required: [("url", "there is nowhere to send events to")],
        fields: ["url", "types", "type", "batch-size", "timeout", "authorization", "headers"],
        row: row,
        hint: { path in
            path.count == 2 && path[0] == "headers"
                ? "`\(path[1])` is no header that can be set" : nil
        })

    /// What a declaration means.
    static func options(_ sink: SectionEntry) -> SinkOptions {
        var options = SinkOptions(
            name: sink.name, url: sink.text("url") ?? "",
            filter: SinkFilter(sink.value("types", SinkForms.types) ?? []))
        if let size = sink.value("batch-size", SinkForms.batchSize) { options.batchSize = size }
        if let timeout = sink.value("timeout", SinkForms.timeout) { options.timeout = timeout }
        if let authorization = sink.text("authorization") {
            options.headers["Authorization"] = authorization
        }
        for field in sink.fields where field.key.hasPrefix("headers.") {
            options.headers[String(field.key.dropFirst("headers.".count))] = field.entry.text
        }
        return options
    }

    @Sendable private static func row(_ sink: String, _ path: [String]) -> SettingRow? {
        let name = (["sinks", sink] + path).joined(separator: "-")
        switch path {
        case ["url"]: return SectionForm.row(name, SinkForms.url, mask: maskURL)
        case ["type"]: return SectionForm.row(name, SinkForms.kind)
        case ["types"]: return SectionForm.row(name, SinkForms.types)
        case ["batch-size"]: return SectionForm.row(name, SinkForms.batchSize)
        case ["timeout"]: return SectionForm.row(name, SinkForms.timeout)
        case ["authorization"]:
            return SectionForm.row(name, SinkForms.headerValue, isSecret: true)
        default:
            guard path.count == 2, path[0] == "headers", SinkForms.isHeaderName(path[1]) else {
                return nil
            }
            return SectionForm.row(name, SinkForms.headerValue, isSecret: true)
        }
    }

    /// Receivers like to put a token into the path.
    @Sendable private static func maskURL(_ url: String) -> String {
        guard SinkForms.url.parse(url) != nil else { return "********" }
        let origin = SinkOptions(name: "", url: url).origin
        return url.utf8.count > origin.utf8.count + 1 ? origin + "/********" : url
    }
}
