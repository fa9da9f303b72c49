internal import Glibc
import Primitives

/// Why a call on the spool's files failed.
package struct LogSpoolError: Error, Equatable, CustomStringConvertible {
    let call: String
    let number: Int32

    /// `write: No space left on device`; no path, which a reader of logs knows from the name.
    package var description: String { "\(call): \(String(cString: strerror(number)))" }

    /// The call that has just failed.
    static func last(_ call: StaticString) -> LogSpoolError {
        LogSpoolError(call: "\(call)", number: errno)
    }
}

/// An open file of a spool. Owns the descriptor and closes it with the last reference. One thread
/// writes; reads name their offset.
final class LogSpoolFile: Sendable {
    private let descriptor: Int32

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// A new file, readable by its owner alone.
    static func create(_ path: String) throws(LogSpoolError) -> LogSpoolFile {
        try open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND)
    }

    static func open(_ path: String) throws(LogSpoolError) -> LogSpoolFile {
        try open(path, O_RDONLY)
    }

    private static func open(
        _ path: String, _ flags: Int32
    ) throws(LogSpoolError) -> LogSpoolFile {
        let descriptor = Glibc.open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .last("open") }
        return LogSpoolFile(descriptor: descriptor)
    }

    /// Appends all of `bytes`, or leaves the file as it was.
    func append(_ bytes: UnsafeRawBufferPointer) throws(LogSpoolError) {
        let before = try size()
        var written = 0
        while written < bytes.count {
            let count = write(
                descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = LogSpoolError.last("write")
                ftruncate(descriptor, off_t(before))
                throw error
            }
            written += count
        }
    }

    /// Appends `count` bytes from `offset` to `buffer`, or what there is of them.
    func read(
        _ count: Int, at offset: Int, to buffer: inout ByteBuffer
    ) throws(LogSpoolError) {
        let space = buffer.spare(count)
        var got = 0
        while got < count {
            let part = pread(
                descriptor, space.baseAddress.map { $0 + got }, count - got, off_t(offset + got))
            if part < 0, errno == EINTR { continue }
            guard part >= 0 else { throw .last("pread") }
            guard part > 0 else { break }
            got += part
        }
        buffer.commit(got)
    }

    func size() throws(LogSpoolError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .last("fstat") }
        return Int(status.st_size)
    }

    func syncData() throws(LogSpoolError) {
        while fdatasync(descriptor) != 0 {
            guard errno == EINTR else { throw .last("fdatasync") }
        }
    }
}
