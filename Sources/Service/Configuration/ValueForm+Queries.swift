import Query

extension ValueForm where Value == [InsightExemption] {
    /// Patterns of questions that are not reported.
    static var exemptions: ValueForm {
        ValueForm(
            placeholder: "list", expectation: InsightExemption.rule,
            parse: { text in
                if text.isEmpty { return [] }
                let parts = text.split(separator: ",", omittingEmptySubsequences: false)
                let exemptions = parts.compactMap { part in
                    InsightExemption(String(part.filter { $0 != " " }))
                }
                return exemptions.count == parts.count ? exemptions : nil
            })
    }
}
