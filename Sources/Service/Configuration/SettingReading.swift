/// What a source says about a setting.
enum SettingReading {
    case nothing
    case value(ResolvedSettings.Entry)
    /// What is wrong, as a whole sentence without its full stop.
    case problem(String)

    static func of(_ row: SettingRow, from source: SettingSource) -> SettingReading {
        let text: String?
        do { text = try source.text(for: row) } catch {
            let fault = error.reason.map { "; what is wrong: \($0)" } ?? ""
            return .problem(
                "\(row.name): what is set in \(source.origin(row)) is not "
                    + "\(row.expectation)\(fault)")
        }
        guard let text else { return .nothing }
        let origin = source.origin(row)
        if row.accepts(text) { return .value(ResolvedSettings.Entry(text: text, origin: origin)) }
        let fault = row.explain?(text).map { "; what is wrong: \($0)" } ?? ""
        return .problem(
            "\(row.name): \(row.quote(text)) (\(origin)) is not \(row.expectation)\(fault)")
    }
}
