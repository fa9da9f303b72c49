import TestSupport

/// A program of `Tests/ForeignClient`: others' libraries, which know nothing of this service.
enum ForeignClient {
    /// Runs it to its end.
    /// - Returns: the JSON object that it prints.
    static func run(
        _ program: String, _ arguments: [String], within limit: Duration = .seconds(90)
    ) throws -> JSONTree {
        let folder = try TemporaryDirectory()
        let root = MillraceBinary.packageRoot
        let child = try ChildProcess(
            ["\(root)/.build/venv/bin/python3", "\(root)/Tests/ForeignClient/\(program)"]
                + arguments,
            environment: ["PYTHONDONTWRITEBYTECODE": "1"], output: folder.file("out"),
            errors: folder.file("errors"))
        let status = child.exit(within: limit)
        let output = FileSystem.text(folder.file("out"))
        guard status == .exited(0) else {
            let errors = FileSystem.text(folder.file("errors"))
            throw TestError("\(program): \(String(describing: status)) \(errors.suffix(1500))")
        }
        return try JSONTree.parse(output)
    }
}
