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
        isName: SinkForms.isName, nameRule: ReceiverDeclaration.nameRule,
        required: [("url", "there is nowhere to send log records to")],
        fields: ["url", "level", "timeout", "spool-max-bytes", "authorization", "headers"],
        row: row,
        hint: ReceiverDeclaration.hint)

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
        options.headers = ReceiverDeclaration.headers(of: forward)
        return options
    }

    @Sendable private static func row(_ forward: String, _ path: [String]) -> SettingRow? {
        let name = ReceiverDeclaration.name("log-forwards", forward, path)
        return switch path {
        case ["level"]: SectionForm.row(name, level)
        case ["spool-max-bytes"]: SectionForm.row(name, spoolSize)
        default:
            ReceiverDeclaration.row(
                "log-forwards", forward, path, plainPaths: ["", "/", "/v1/logs"],
                reserved: ["content-encoding"])
        }
    }
}
