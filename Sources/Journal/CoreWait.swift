internal import Glibc
import Primitives

/// Waiting for a core: what tells a machine that has too few from one whose disk is slow.
package enum CoreWait {
    /// How long the calling thread could have run and had no core since it began, as the scheduler
    /// counts it (proc(5), `schedstat`: time on a core, time waiting, slices). Zero where it does
    /// not count.
    package static func ofThisThread() -> Duration {
        let file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return .zero }
        defer { close(file) }
        var text: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) =
            (0, 0, 0, 0, 0, 0, 0, 0)
        return withUnsafeMutableBytes(of: &text) { bytes in
            let count = read(file, bytes.baseAddress, bytes.count)
            let fields = bytes.prefix(max(count, 0)).split(separator: UInt8(ascii: " "))
            guard fields.count > 1 else { return .zero }
            let nanoseconds = fields[1].reduce(Int64(0)) { sum, digit in
                sum &* 10 &+ Int64(digit &- UInt8(ascii: "0"))
            }
            return .nanoseconds(nanoseconds)
        }
    }
}
