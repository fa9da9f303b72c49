/// Why a keys file cannot be read, understood or changed: everything that is wrong with it. Neither
/// keys nor hashes are in it.
struct KeysError: Error, Equatable, CustomStringConvertible {
    /// Whole sentences without their full stops.
    let problems: [String]

    init(_ problems: [String]) { self.problems = problems }
    init(_ problem: String) { problems = [problem] }

    var description: String { problems.joined(separator: "; ") }
}
