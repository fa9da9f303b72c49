/// Every setting, its value and where it came from, as `millrace check --print-config` prints it.
enum SettingsReport {
    /// Columns are aligned; secrets that are set show as `********`, those inside a URL as `***`,
    /// and none as `-`.
    static func text(
        _ values: ResolvedSettings, of rows: [SettingRow] = Settings.table.rows
    ) -> String {
        var lines = [["setting", "value", "from"]]
        let fields = SectionForm.all.flatMap { values.entries(of: $0) }.flatMap(\.fields)
        let all = rows.map { ($0, values.entry($0)) } + fields.map { ($0.row, $0.entry) }
        for (row, entry) in all {
            lines.append([row.name, shown(entry.text, of: row), entry.origin.description])
        }
        let widths = (0..<2).map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            pad(line[0], to: widths[0]) + "  " + pad(line[1], to: widths[1]) + "  " + line[2] + "\n"
        }.joined()
    }

    private static func shown(_ text: String, of row: SettingRow) -> String {
        if text.isEmpty { return "-" }
        return row.mask?(text) ?? (row.isSecret ? "********" : text)
    }

    private static func pad(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
