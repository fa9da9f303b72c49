internal import Glibc
import Primitives
import Storage

/// The file of one day's lines, open to be written to. Closes it with the last reference.
final class LogLineFile {
    /// What is read at a time to find the end of the last whole line.
    private static let tailBytes = 64 << 10

    let name: LogLineName
    private let path: String
    private let descriptor: Int32
    /// Of whole lines.
    private var length: Int64

    /// Opens or makes the file, and takes off what a crash left of a line at its end.
    init(directory: String, _ name: LogLineName) throws(StorageError) {
        self.name = name
        path = name.path(in: directory)
        // Appending alone: a file that another program cuts meanwhile gets no hole.
        let file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw LogLineFile.failure("open", path) }
        var status = stat()
        guard fstat(file, &status) == 0,
            let whole = LogLineFile.wholeLines(file, Int64(status.st_size)),
            whole == Int64(status.st_size) || ftruncate(file, off_t(whole)) == 0
        else {
            defer { close(file) }
            throw LogLineFile.failure("read", path)
        }
        descriptor = file
        length = whole
    }

    deinit { close(descriptor) }

    /// Appends whole lines.
    /// - Throws: with the file as it was, as far as the disk lets it.
    func append(_ lines: UnsafeRawBufferPointer) throws(StorageError) {
        var done = 0
        while done < lines.count {
            let rest = UnsafeRawBufferPointer(rebasing: lines[done...])
            let count = write(descriptor, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = LogLineFile.failure("write", path)
                _ = ftruncate(descriptor, off_t(length))
                throw error
            }
            done += count
        }
        length += Int64(lines.count)
    }

    /// Up to the last line break; nil if the file cannot be read.
    private static func wholeLines(_ file: Int32, _ size: Int64) -> Int64? {
        var end = size
        var bytes = [UInt8](repeating: 0, count: tailBytes)
        while end > 0 {
            let start = max(0, end - Int64(tailBytes))
            let count = pread(file, &bytes, Int(end - start), off_t(start))
            guard count == Int(end - start) else { return nil }
            if let last = bytes[..<count].lastIndex(of: UInt8(ascii: "\n")) {
                return start + Int64(last) + 1
            }
            end = start
        }
        return 0
    }

    private static func failure(_ call: String, _ path: String) -> StorageError {
        let cause = errno
        return StorageError(
            cause == ENOSPC || cause == EDQUOT ? .full : .inputOutput,
            "\(path): \(call): \(String(cString: strerror(cause)))")
    }
}
