internal import Glibc
import TestSupport

/// A new folder under `/tmp` that goes away, with all it holds, when its last owner does.
final class TemporaryDirectory: Sendable {
    /// Absolute; ends without a slash.
    let path: String

    init() throws {
        var template = Array("/tmp/millrace-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestError("mkdtemp: errno \(errno)") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { TemporaryDirectory.remove(path) }

    func file(_ name: String) -> String { path + "/" + name }

    /// Removes a folder and all it holds. A link is removed, not followed.
    private static func remove(_ folder: String) {
        guard let stream = opendir(folder) else { return }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name == "." || name == ".." { continue }
            let path = folder + "/" + name
            if entry.pointee.d_type == UInt8(DT_DIR) { remove(path) } else { unlink(path) }
        }
        closedir(stream)
        rmdir(folder)
    }
}
