internal import Glibc
import Primitives

/// Writes to a file descriptor that somebody else opened: stdout. It may block for as long as the
/// reader of a pipe likes; only its own lane waits. `O_NONBLOCK` would be no way out: it belongs to
/// the open file, so it would change stderr and other processes as well.
package final class DescriptorSink: LogSink {
    package let name: String
    private let descriptor: Int32

    package init(_ descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    package func write(_ lines: UnsafeRawBufferPointer) throws(LogSinkError) {
        try LogWrite.all(lines, to: descriptor)
    }
}

/// The one way from `write(2)` to an error.
enum LogWrite {
    static func all(
        _ bytes: UnsafeRawBufferPointer, to descriptor: Int32
    ) throws(LogSinkError) {
        var written = 0
        while written < bytes.count {
            let count = Glibc.write(
                descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw LogSinkError(written: written, String(cString: strerror(errno)))
            }
            written += count
        }
    }
}
