import TestSupport

/// A file with a text that is gone when the test is.
final class TemporaryFile: Sendable {
    private let directory: TemporaryDirectory

    var path: String { directory.file("file") }

    init(_ text: String) throws {
        directory = try TemporaryDirectory()
        try directory.write("file", text)
    }

    /// Keeps the file for as long as `body` runs; a mere `path` would not.
    func use<Result>(_ body: (String) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(path) }
    }
}
