import Query

/// Rollups as the configuration file declares them.
///
///     rollups:
///       - name: pages
///         event: page_view
///         interval: 1h
///         group_by: [country, path]
///         metrics: [count, avg:ms, p95:ms, uniq:user]
enum RollupDeclaration {
    static let form = SectionForm(
        name: "rollups", noun: "rollup", example: "interval, metrics and so on",
        countLimit: RollupSet.countLimit, isName: SinkForms.isName,
        nameRule: "1 to 63 of the characters a-z 0-9 - _",
        required: [
            ("interval", "there are no buckets to keep anything in"),
            ("metrics", "there is nothing to keep"),
        ],
        fields: ["event", "interval", "group_by", "metrics", "max_groups"], row: row,
        hint: { _ in nil })

    /// What a declaration means.
    static func rollup(_ entry: SectionEntry) -> Rollup {
        Rollup(
            name: entry.name, types: entry.value("event", types) ?? [],
            interval: entry.value("interval", interval) ?? .hour,
            groups: entry.value("group_by", groups) ?? [],
            metrics: entry.value("metrics", metrics) ?? [],
            maxGroups: entry.value("max_groups", maxGroups) ?? Rollup.defaultMaxGroups)
    }

    @Sendable private static func row(_ rollup: String, _ path: [String]) -> SettingRow? {
        let name = (["rollups", rollup] + path).joined(separator: "-")
        return switch path {
        case ["event"]: SectionForm.row(name, types)
        case ["interval"]: SectionForm.row(name, interval)
        case ["group_by"]: SectionForm.row(name, groups)
        case ["metrics"]: SectionForm.row(name, metrics)
        case ["max_groups"]: SectionForm.row(name, maxGroups)
        default: nil
        }
    }

    // MARK: Forms

    /// Each row takes some 100 bytes on the disk and in memory while its bucket is written to.
    private static let maxGroups = ValueForm<Int>.integer(1...1_000_000)

    private static let types = ValueForm<[String]>(
        placeholder: "types", expectation: "a list of at most 100 event types of 1 to 255 bytes",
        parse: { text in
            let types = elements(text)
            let isRight =
                types.count <= 100 && types.allSatisfy { (1...255).contains($0.utf8.count) }
            return isRight ? types : nil
        })

    private static let interval = ValueForm<QueryInterval>(
        placeholder: "interval",
        expectation: "one of " + Rollup.intervals.map(\.rawValue).joined(separator: ", "),
        parse: { text in Rollup.intervals.first { $0.rawValue == text } })

    private static let groups = ValueForm<[QueryField]>(
        placeholder: "fields", expectation: "a list of fields to group by",
        parse: { text in try? Rollup.groups(elements(text)) },
        explain: { text in reason { () throws(QueryError) in try Rollup.groups(elements(text)) } })

    private static let metrics = ValueForm<[QueryMetric]>(
        placeholder: "metrics", expectation: "a list of metrics such as count, avg:ms",
        parse: { text in try? Rollup.metrics(elements(text)) },
        explain: { text in reason { () throws(QueryError) in try Rollup.metrics(elements(text)) } })

    /// The elements of a comma list, without the spaces around them.
    private static func elements(_ text: String) -> [String] {
        if text.isEmpty { return [] }
        return text.split(separator: ",", omittingEmptySubsequences: false)
            .map { $0.drop { $0 == " " } }
            .map { String($0.reversed().drop { $0 == " " }.reversed()) }
    }

    private static func reason<Value>(_ read: () throws(QueryError) -> Value) -> String? {
        do throws(QueryError) {
            _ = try read()
            return nil
        } catch {
            return error.message
        }
    }
}
