import Sinks

/// Sinks as the configuration file declares them: a name, and the settings that are there.
///
///     sinks:
///       audit: { url: "https://audit.example.com/in", types: [order.*, signup], batch-size: 500 }
enum SinkDeclaration {
    static let form = SectionForm(
        name: "sinks", noun: "sink", example: "url, types and so on",
        // Each has threads and connections of its own.
        countLimit: 32,
        isName: SinkForms.isName, nameRule: ReceiverDeclaration.nameRule,
        required: [("url", "there is nowhere to send events to")],
        fields: ["url", "types", "type", "batch-size", "timeout", "authorization", "headers"],
        row: row,
        hint: ReceiverDeclaration.hint)

    /// What a declaration means.
    static func options(_ sink: SectionEntry) -> SinkOptions {
        var options = SinkOptions(
            name: sink.name, url: sink.text("url") ?? "",
            filter: SinkFilter(sink.value("types", SinkForms.types) ?? []))
        if let size = sink.value("batch-size", SinkForms.batchSize) { options.batchSize = size }
        if let timeout = sink.value("timeout", SinkForms.timeout) { options.timeout = timeout }
        options.headers = ReceiverDeclaration.headers(of: sink)
        return options
    }

    @Sendable private static func row(_ sink: String, _ path: [String]) -> SettingRow? {
        let name = ReceiverDeclaration.name("sinks", sink, path)
        return switch path {
        case ["type"]: SectionForm.row(name, SinkForms.kind)
        case ["types"]: SectionForm.row(name, SinkForms.types)
        case ["batch-size"]: SectionForm.row(name, SinkForms.batchSize)
        default: ReceiverDeclaration.row("sinks", sink, path)
        }
    }
}
