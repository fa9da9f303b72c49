import Query

/// Compiles the named queries, as a start would.
enum QueriesInspection {
    @Sendable static func run(_ configuration: Configuration) -> [Inspection.Finding] {
        guard let path = configuration.queriesDirectory else { return [] }
        do throws(NamedQueryKeeper.Failure) {
            let findings = try NamedQueryInspection.findings(
                path: path, timeLimit: configuration.queryTimeout)
            let broken = findings.compactMap { finding in
                finding.problem.map {
                    Inspection.Finding("queries", .failed, "\(finding.name).sql: \($0)")
                }
            }
            guard broken.isEmpty else { return broken }
            return [.init("queries", .ok, "\(findings.count) named queries compile")]
        } catch {
            return [.init("queries", .failed, "\(path): \(error)")]
        }
    }
}
