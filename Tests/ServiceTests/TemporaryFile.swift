import Glibc

/// A file with a text that is gone when the test is.
final class TemporaryFile: Sendable {
    let path: String

    init(_ text: String) {
        var template = Array("/tmp/millrace-config-XXXXXX".utf8CString)
        let file = mkstemp(&template)
        precondition(file >= 0, "mkstemp failed with \(errno)")
        let bytes = Array(text.utf8)
        precondition(write(file, bytes, bytes.count) == bytes.count)
        close(file)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { unlink(path) }

    /// Keeps the file for as long as `body` runs; a mere `path` would not.
    func use<Result>(_ body: (String) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(path) }
    }
}
