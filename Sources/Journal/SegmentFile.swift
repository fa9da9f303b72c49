internal import Glibc
import Primitives

/// An open file of the journal. Owns the descriptor and closes it with the last reference; its
/// calls may come from several threads, since each names its own offset.
final class SegmentFile: Sendable {
    /// The most parts `pwritev` takes at once (`IOV_MAX`).
    static let partLimit = 1024
    /// The unit that is given up where the disk cannot read.
    private static let pageBytes = 4096

    let path: String
    let name: String
    private let descriptor: Int32
    private let faults: JournalFaults
    private let retryPolicy: ReadRetryPolicy

    /// Takes ownership of `descriptor`.
    init(
        descriptor: Int32, path: String, name: String, faults: JournalFaults,
        retryPolicy: ReadRetryPolicy
    ) {
        self.descriptor = descriptor
        self.path = path
        self.name = name
        self.faults = faults
        self.retryPolicy = retryPolicy
    }

    deinit { close(descriptor) }

    /// Writes all `parts` one behind the other. The corresponding C function is `pwritev`.
    /// - Returns: 0 or `errno`; what was written before a failure stays.
    func write(_ parts: [iovec], at offset: Int) -> Int32 {
        var rest = parts
        var first = 0
        var position = off_t(offset)
        SegmentFile.advance(&rest, &first, by: 0)
        while first < rest.count {
            let fault = faults.write?(path) ?? 0
            guard fault == 0 else { return fault }
            let written = writeSome(rest[first...], at: position)
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return written < 0 ? errno : EIO }
            position += off_t(written)
            SegmentFile.advance(&rest, &first, by: written)
        }
        return 0
    }

    private func writeSome(_ parts: ArraySlice<iovec>, at position: off_t) -> Int {
        parts.withUnsafeBufferPointer { parts in
            if let limit = faults.writeLimitBytes, let part = parts.first {
                return pwrite(descriptor, part.iov_base, min(limit, part.iov_len), position)
            }
            let count = min(parts.count, SegmentFile.partLimit)
            return pwritev(descriptor, parts.baseAddress, Int32(count), position)
        }
    }

    /// Steps over what was written; empty parts count as written.
    private static func advance(_ parts: inout [iovec], _ first: inout Int, by bytes: Int) {
        var rest = bytes
        while first < parts.count, rest >= parts[first].iov_len {
            rest -= parts[first].iov_len
            first += 1
        }
        guard rest > 0, first < parts.count else { return }
        parts[first].iov_base += rest
        parts[first].iov_len -= rest
    }

    /// Reads until `buffer` is full or the file ends.
    /// - Returns: how many bytes were read, or the negative `errno`.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        switch readRetrying(into: buffer, at: offset) {
        case .read(let count): count
        case .failed, .givenUp: -Int(EIO)
        }
    }

    /// The same, but pages that the disk cannot read (`ReadRetryPolicy`) come as zeros, which no checksum
    /// accepts: a bad sector costs what lay in it and nothing else.
    /// - Returns: how many bytes were read, or the negative `errno`; and how many pages are zeros
    ///   because the disk could not read them.
    func readZeroingBadPages(
        into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) -> (bytes: Int, badPages: Int) {
        let got = readAll(into: buffer, at: offset)
        guard got == -Int(EIO) else {
            if got > 0 { retryPolicy.succeeded(name, offset..<offset + got) }
            return (got, 0)
        }
        var (count, badPages) = (0, 0)
        while count < buffer.count {
            let pageEnd =
                (offset + count) / SegmentFile.pageBytes * SegmentFile.pageBytes
                + SegmentFile.pageBytes
            let length = min(buffer.count - count, pageEnd - offset - count)
            let page = UnsafeMutableRawBufferPointer(rebasing: buffer[count..<count + length])
            switch readRetrying(into: page, at: offset + count) {
            case .read(let got):
                guard got >= 0 else { return (got, badPages) }
                count += got
                guard got == length else { return (count, badPages) }
            case .failed: return (-Int(EIO), badPages)
            case .givenUp:
                page.initializeMemory(as: UInt8.self, repeating: 0)
                count += length
                badPages += 1
            }
        }
        return (count, badPages)
    }

    private enum Reading {
        /// Bytes, or the negative `errno`, which is not EIO.
        case read(Int)
        case failed
        case givenUp
    }

    private func readRetrying(
        into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) -> Reading {
        while true {
            let got = readAll(into: buffer, at: offset)
            guard got == -Int(EIO) else {
                if got > 0 { retryPolicy.succeeded(name, offset..<offset + got) }
                return .read(got)
            }
            switch retryPolicy.failed(name, at: offset) {
            case .retry(let pause): sleep(until: .after(pause))
            case .fail: return .failed
            case .giveUp: return .givenUp
            }
        }
    }

    /// The corresponding C function is `pread`.
    private func readAll(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        let fault = faults.read?(path, offset..<offset + buffer.count) ?? 0
        guard fault == 0 else { return -Int(fault) }
        var count = 0
        while count < buffer.count, let base = buffer.baseAddress {
            let got = pread(descriptor, base + count, buffer.count - count, off_t(offset + count))
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { return -Int(errno) }
            guard got > 0 else { break }
            count += got
        }
        return count
    }

    /// The corresponding C function is `fdatasync`; after an error never call it again on this
    /// file, since the kernel may have forgotten which pages failed.
    /// - Returns: 0 or `errno`.
    func syncData() -> Int32 {
        let fault = faults.sync?(path) ?? 0
        guard fault == 0 else { return fault }
        while fdatasync(descriptor) != 0 {
            if errno != EINTR { return errno }
        }
        return 0
    }

    /// The corresponding C function is `ftruncate`.
    /// - Returns: 0 or `errno`.
    func truncate(to bytes: Int) -> Int32 {
        while ftruncate(descriptor, off_t(bytes)) != 0 {
            if errno != EINTR { return errno }
        }
        return 0
    }

    /// The size, or nil for what is no ordinary file. The corresponding C function is `fstat`.
    func regularBytes() throws(JournalError) -> Int? {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .system(.unreadable, "fstat", path, errno)
        }
        return status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    }
}

extension iovec {
    /// Borrows `bytes` for a write; the kernel does not change them.
    init(_ bytes: UnsafeRawBufferPointer) {
        self.init(
            iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
    }
}
