/// Why a configuration was refused: everything that is wrong with it, so that one start tells all.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// Whole sentences without their full stops. Secrets are not in them.
    package let problems: [String]

    init(_ problems: [String]) { self.problems = problems }
    init(_ problem: String) { problems = [problem] }

    package var description: String {
        let list = problems.map { "  - \($0)" }.joined(separator: "\n")
        return "the configuration is refused:\n\(list)\n"
            + "`millrace serve --help` lists every setting; the flag wins over the environment, "
            + "the environment over the file."
    }
}
