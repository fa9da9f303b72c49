internal import CLogRing
import Primitives
internal import Synchronization

/// The rings of a logger: who writes into which, and how the back end is woken.
///
/// A thread's ring is made at its first record and outlives the thread until it is empty.
final class LogRings: Sendable {
    typealias Ring = UnsafeMutablePointer<millrace_log_ring>

    private struct State: @unchecked Sendable {  // Pointers to memory that both sides count.
        var rings: [Ring] = []
        /// For threads beyond the limit; made when first needed.
        var shared: Ring?
        /// Somebody has waited in vain for room in the shared one, and there was none since.
        var isSharedStuck = false
        /// Changes with `rings` and `shared`.
        var version = 1
    }

    private static let lastID = Atomic<UInt64>(0)

    /// Never given to another logger.
    let id = LogRings.lastID.add(1, ordering: .relaxed).newValue
    private let limit: Int
    private let ringBytes: UInt64
    private let state = Locked(State())
    private let closed = Atomic<Bool>(false)
    /// 1 while the back end sleeps: the word of its futex.
    // The pointer never changes, and its word is read and written by atomic instructions alone.
    nonisolated(unsafe) let sleeping: UnsafeMutablePointer<UInt32>

    init(limit: Int, ringBytes: Int) {
        self.limit = limit
        self.ringBytes = UInt64(ringBytes)
        sleeping = .allocate(capacity: 1)
        sleeping.initialize(to: 0)
    }

    /// The back end has ended, and no call is on its way.
    deinit {
        withRings { for ring in $0 { millrace_log_ring_release(ring) } }
        sleeping.deallocate()
    }

    var isClosed: Bool { closed.load(ordering: .acquiring) }
    /// Bytes of records that the back end has not read.
    var usedBytes: Int { withRings { $0.reduce(0) { $0 + LogRings.used($1) } } }

    /// Under the lock, since `freeOrphans` frees rings.
    private func withRings<Result>(_ body: ([Ring]) -> Result) -> Result {
        state.withLock { body($0.rings + ($0.shared.map { [$0] } ?? [])) }
    }

    /// The tail is read first: it may pass a head that was read before, and never one that is read
    /// after it.
    static func used(_ ring: Ring) -> Int {
        let tail = millrace_log_tail(ring)
        return Int(clamping: min(millrace_log_head(ring) &- tail, ring.pointee.capacity))
    }

    /// The calling thread's ring, made if there may be one more; nil: it has to share.
    func ringOfThread() -> Ring? {
        if let ring = millrace_log_ring_find(id) { return ring }
        return state.withLock { state in
            guard state.rings.count < limit, !isClosed,
                let ring = millrace_log_ring_create(id, ringBytes)
            else { return nil }
            state.rings.append(ring)
            state.version += 1
            return ring
        }
    }

    /// Copies a record into the shared ring.
    /// - Parameter reserve: what has to be free.
    /// - Returns: false if there is no room.
    func pushShared(_ record: UnsafeRawBufferPointer, _ reserve: UInt64) -> Bool {
        state.withLock { state in
            if state.shared == nil, !isClosed {
                state.shared = millrace_log_ring_create_shared(id, ringBytes)
                state.version += 1
            }
            guard let ring = state.shared, let source = record.baseAddress,
                let base = millrace_log_reserve(ring, reserve)
            else { return false }
            UnsafeMutableRawPointer(base).copyMemory(from: source, byteCount: record.count)
            millrace_log_publish(ring, UInt64(record.count), sleeping)
            state.isSharedStuck = false
            return true
        }
    }

    var isSharedStuck: Bool { state.withLock { $0.isSharedStuck } }
    func giveUpShared() { state.withLock { $0.isSharedStuck = true } }

    /// The rings, if they are others than at `version`. The back end's thread.
    func changed(since version: inout Int) -> [Ring]? {
        state.withLock { state in
            guard state.version != version else { return nil }
            version = state.version
            return state.rings + (state.shared.map { [$0] } ?? [])
        }
    }

    /// Frees the rings whose threads have ended, once they are empty. The back end's thread.
    func freeOrphans() {
        let free = state.withLock { state -> [Ring] in
            let isFree: (Ring) -> Bool = {
                millrace_log_is_orphaned($0) && LogRings.used($0) == 0
            }
            let free = state.rings.filter(isFree)
            guard !free.isEmpty else { return [] }
            state.rings.removeAll(where: isFree)
            state.version += 1
            return free
        }
        for ring in free { millrace_log_ring_release(ring) }
    }

    /// From now on no thread begins a record. Records that are being written are waited for, a
    /// moment: a thread may have been stopped in the middle of one.
    func close() {
        closed.store(true, ordering: .releasing)
        withRings { for ring in $0 { millrace_log_ring_close(ring) } }
        // A thread that has read `closed` just before shows that it writes within the time that a
        // store takes to be seen by other cores.
        sleep(until: .after(.milliseconds(1)))
        let deadline = Deadline.after(.milliseconds(50))
        while !deadline.hasPassed,
            withRings({ $0.contains { millrace_log_is_writing($0) } })
        {
            sleep(until: .after(.milliseconds(1)))
        }
    }
}
