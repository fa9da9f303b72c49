internal import Glibc

/// Where this program lies, and beside it the others of the same build.
package enum BuildFolder {
    /// Ends without a slash.
    package static var path: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let program = String(
            decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return String(program.prefix(upTo: program.lastIndex(of: "/") ?? program.startIndex))
    }

    /// The path of another program of the build.
    package static func program(_ name: String) -> String { "\(path)/\(name)" }
}
