internal import Glibc
import Primitives

/// What one transaction of the store took.
struct StoreBatch {
    private(set) var events = 0
    /// From its begin to its end.
    private(set) var elapsed = Duration.zero
    /// The part of `elapsed` for which its thread could have run and had no core.
    private(set) var waited = Duration.zero
    /// It waited for a core for half of its time or more.
    var isStarved: Bool { waited > elapsed / 2 }
    private let began = MonotonicTime.now()
    private let waitedBefore = StoreBatch.coreWait()

    /// On the thread that made it.
    mutating func end(events: Int) {
        self.events = events
        elapsed = MonotonicTime.now().since(began)
        waited = StoreBatch.coreWait() - waitedBefore
    }

    /// How long this thread has waited for a core since it began, as the scheduler counts it
    /// (proc(5), `schedstat`: time on a core, time waiting, slices). Zero where it does not count.
    private static func coreWait() -> Duration {
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
