internal import Glibc

/// Where the tests lie, and the programs that were built in the same run.
package enum BuildFolder {
    package static func program(_ name: String) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let bundle = String(
            decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        let folder = bundle.prefix(upTo: bundle.lastIndex(of: "/") ?? bundle.startIndex)
        return "\(folder)/\(name)"
    }
}
