internal import Glibc

/// The folder in which this program lies; ends without a slash.
enum BinaryFolder {
    static var path: String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { chars in
                chars.baseAddress.map { readlink("/proc/self/exe", $0, chars.count) } ?? 0
            }
        }
        let program = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        return String(program.prefix(upTo: program.lastIndex(of: "/") ?? program.startIndex))
    }
}
