import Logs
import Telemetry

/// Receivers of taken-in logs as the configuration file declares them.
///
///     log-forwards:
///       loki: { url: "http://loki:3100/otlp/v1/logs", level: info, spool-max-bytes: 1GiB }
enum LogForwardDeclaration {
    static let form = SectionForm(
        name: "log-forwards", noun: "log forward", example: "url, level and so on",
        // Each has two threads and a folder.
        countLimit: 16,
        isName: SinkForms.isName, nameRule: "1 to 63 of the characters a-z 0-9 - _",
        required: [("url", "there is nowhere to send log records to")],
        fields: ["url", "level", "timeout", "spool-max-bytes", "authorization", "headers"],
        row: row,
        hint: { path in
            path.count == 2 && path[0] == "headers"
                ? "`\(path[1])` is no header that can be set" : nil
        })

    private static let level = ValueForm<LogLevel>.level
    /// A spool is written in segments of an eighth of it; a frame must fit.
    private static let spoolSize = ValueForm<Int>.size(8 << 20...1 << 40)

    /// What a declaration means.
    static func options(_ forward: SectionEntry) -> LogForwardOptions {
        var options = LogForwardOptions(name: forward.name, url: forward.text("url") ?? "")
        if let level = forward.value("level", level) {
            options.minimumSeverity = level.severityNumber
        }
        if let timeout = forward.value("timeout", SinkForms.timeout) { options.timeout = timeout }
        if let size = forward.value("spool-max-bytes", spoolSize) { options.spoolLimitBytes = size }
        if let authorization = forward.text("authorization") {
            options.headers["Authorization"] = authorization
        }
        for field in forward.fields where field.key.hasPrefix("headers.") {
            options.headers[String(field.key.dropFirst("headers.".count))] = field.entry.text
        }
        return options
    }

    @Sendable private static func row(_ forward: String, _ path: [String]) -> SettingRow? {
        let name = (["log-forwards", forward] + path).joined(separator: "-")
        switch path {
        case ["url"]: return SectionForm.row(name, SinkForms.url, mask: maskURL)
        case ["level"]: return SectionForm.row(name, level)
        case ["timeout"]: return SectionForm.row(name, SinkForms.timeout)
        case ["spool-max-bytes"]: return SectionForm.row(name, spoolSize)
        case ["authorization"]:
            return SectionForm.row(name, SinkForms.headerValue, isSecret: true)
        default:
            let isHeader =
                path.count == 2 && path[0] == "headers" && SinkForms.isHeaderName(path[1])
                && path[1].lowercased() != "content-encoding"
            return isHeader
                ? SectionForm.row(name, SinkForms.headerValue, isSecret: true) : nil
        }
    }

    /// Receivers like to put a token into the path.
    @Sendable private static func maskURL(_ url: String) -> String {
        guard SinkForms.url.parse(url) != nil else { return "********" }
        let origin = LogForwardOptions(name: "", url: url).origin
        let plainPaths = ["", "/", "/v1/logs"]
        return plainPaths.contains(String(url.dropFirst(origin.count)))
            ? url : origin + "/********"
    }
}
