internal import Glibc

/// The process's own output, written at once and without a buffer of the C library in between.
package struct StandardStream: Sendable {
    package static let output = StandardStream(file: STDOUT_FILENO)
    package static let error = StandardStream(file: STDERR_FILENO)

    private let file: Int32

    package var isTerminal: Bool { isatty(file) == 1 }

    /// Writes all of it. An error is ignored: there is nowhere left to report it.
    package func write(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(
                file, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    package func write(_ text: String) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }
}
