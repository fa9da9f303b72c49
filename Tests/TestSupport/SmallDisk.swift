internal import Glibc
import ProcessSupport

/// A file system of its own, small enough to be filled: a tmpfs, unmounted with its last owner.
package final class SmallDisk: Sendable {
    private let directory: TemporaryDirectory
    package var path: String { directory.path }

    package init(bytes: Int) throws {
        directory = try TemporaryDirectory()
        guard mount("tmpfs", directory.path, "tmpfs", 0, "size=\(bytes)") == 0 else {
            throw SystemFailure("mount", errno: errno)
        }
    }

    deinit { umount2(directory.path, Int32(MNT_DETACH)) }

    /// What could not be done without rights that a container may lack.
    package static let isPossible: Bool = {
        guard let disk = try? SmallDisk(bytes: 1 << 20) else { return false }
        return withExtendedLifetime(disk) { true }
    }()

    package static let whyNot: String = "a tmpfs cannot be mounted: that takes CAP_SYS_ADMIN"

    package var freeBytes: Int {
        var status = statvfs()
        statvfs(path, &status)
        return Int(status.f_bavail) * Int(status.f_frsize)
    }

    /// Writes a file of zeros until nothing more fits.
    package func fill() throws {
        let file = open(path + "/filler", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SystemFailure("filler", errno: errno) }
        defer { close(file) }
        let zeros = [UInt8](repeating: 0, count: 64 << 10)
        while write(file, zeros, zeros.count) > 0 {}
    }

    package func makeRoom() { unlink(path + "/filler") }
}
