/// What `millrace check` looks at beyond the configuration. Nothing is changed by looking.
package struct Inspection: Sendable {
    /// What was found about one part.
    package struct Finding: Sendable, Equatable, CustomStringConvertible {
        package enum Verdict: String, Sendable {
            case ok
            /// The service would start, but somebody should know.
            case warning
            case failed
        }

        package let part: String
        package let verdict: Verdict
        package let detail: String

        package init(_ part: String, _ verdict: Verdict, _ detail: String) {
            self.part = part
            self.verdict = verdict
            self.detail = detail
        }

        /// `failed  data directory: …`.
        package var description: String {
            let word = verdict.rawValue
            return word + String(repeating: " ", count: 8 - word.count) + "\(part): \(detail)"
        }
    }

    /// A step looks at one part and says what it found.
    package typealias Step = @Sendable (Configuration) -> [Finding]

    /// In the order of looking; later steps are left out once one has failed, because they build
    /// on what it looked at.
    package static let steps: [Step] = [
        DescriptorInspection.run, LogFileInspection.run, ListenInspection.run, KeysInspection.run,
        QueriesInspection.run,
        DataDirectoryInspection.run, StoredDataInspection.run, LogsInspection.run,
    ]

    package static func run(
        _ configuration: Configuration, steps: [Step] = Inspection.steps
    ) -> [Finding] {
        var findings: [Finding] = []
        for step in steps {
            findings += step(configuration)
            if findings.contains(where: { $0.verdict == .failed }) { break }
        }
        return findings
    }
}
