internal import Glibc

/// A new folder under `/tmp` that goes away, with all it holds, when its last owner does.
package final class TemporaryDirectory: Sendable {
    /// Absolute; ends without a slash.
    package let path: String

    package init() throws(SystemFailure) {
        // mkdtemp puts letters and digits of its own in place of the last six.
        let end = String(repeating: "X", count: 6)
        var template = Array(("/tmp/millrace-test-" + end).utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemFailure("mkdtemp", errno: errno) }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { FileSystem.remove(path) }

    /// The path of what is called so in it, be it there or not.
    package func file(_ name: String) -> String { path + "/" + name }

    /// The names of what is in it, sorted.
    package var names: [String] { FileSystem.names(in: path) }

    /// The whole of a file in it.
    package func read(_ name: String) throws(SystemFailure) -> [UInt8] {
        guard let bytes = FileSystem.read(file(name)) else {
            throw SystemFailure("\(file(name)) cannot be read")
        }
        return bytes
    }

    /// Makes a file in it, or replaces what that held.
    package func write(_ name: String, _ bytes: some Sequence<UInt8>) throws(SystemFailure) {
        try FileSystem.write(bytes, to: file(name))
    }

    /// The same with text.
    package func write(_ name: String, _ text: String) throws(SystemFailure) {
        try write(name, text.utf8)
    }
}
