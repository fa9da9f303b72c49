internal import Glibc

/// A file that is written block by block, each synced before the next: what the disk can do at
/// most. Filled with zeros first, as the journal's segments are, or each sync would also commit
/// what the file system notes about the file.
final class SyncedFile {
    private static let blockBytes = 4096
    private static let fileBytes = 16 << 20

    private let descriptor: Int32
    private var offset = 0
    private let block = [UInt8](repeating: 0x55, count: blockBytes)

    init(path: String) throws(BenchFailure) {
        descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SyncedFile.failure("open \(path)") }
        let zeros = [UInt8](repeating: 0, count: SyncedFile.fileBytes)
        guard pwrite(descriptor, zeros, zeros.count, 0) == zeros.count, fsync(descriptor) == 0
        else { throw SyncedFile.failure("fill \(path)") }
    }

    deinit { close(descriptor) }

    func writeAndSync() throws(BenchFailure) {
        let count = SyncedFile.blockBytes
        guard pwrite(descriptor, block, count, off_t(offset)) == count,
            fdatasync(descriptor) == 0
        else { throw SyncedFile.failure("write and sync") }
        offset = (offset + count) % SyncedFile.fileBytes
    }

    private static func failure(_ what: String) -> BenchFailure {
        BenchFailure("\(what): \(String(cString: strerror(errno)))")
    }
}
