internal import Glibc

/// A small file, read whole.
enum TextFile {
    /// Why a file could not be read.
    struct Failure: Error { let reason: String }

    /// - Throws: what the system said, that the file is larger than `limitBytes`, or that it is no
    ///   UTF-8.
    static func read(_ path: String, limitBytes: Int) throws(Failure) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard file >= 0 else { throw Failure(reason: String(cString: strerror(errno))) }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure(reason: String(cString: strerror(errno))) }
            if count == 0 { break }
            bytes += chunk[..<count]
            guard bytes.count <= limitBytes else {
                throw Failure(reason: "it is larger than \(ByteSize.format(limitBytes))")
            }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(reason: "it is not UTF-8")
        }
        return text
    }
}
