internal import Glibc
import Primitives

/// The state that a hit changes (a lock, a counter, notes of hits), in several copies. A thread uses
/// the copy of its number, so two cores that find entries write to different lines of memory: a line
/// that both write to costs more time than the rest of a hit.
///
/// - While a thread holds the lock of its stripe, no entry moves or goes.
/// - A change of the entries takes the locks of all stripes, in their order.
struct HitStripes: ~Copyable {
    private let base: UnsafeMutableRawPointer
    private let mask: Int

    var count: Int { mask + 1 }

    /// More threads than this find something at once on few machines, and a change locks them all.
    private static let limit = 8

    init() {
        var count = 1
        while count < min(Processors.available, HitStripes.limit) { count *= 2 }
        mask = count - 1
        base = .allocate(byteCount: count * HitStripe.stride, alignment: HitStripe.alignment)
        for number in 0..<count { self[number].initialize() }
    }

    deinit {
        for number in 0..<count { self[number].deinitialize() }
        base.deallocate()
    }

    /// The calling thread's.
    @inline(__always)
    var own: HitStripe { self[ThreadNumber.current & mask] }

    @inline(__always)
    subscript(_ number: Int) -> HitStripe { HitStripe(base + number * HitStripe.stride) }

    func lockAll() {
        for number in 0..<count { self[number].lock() }
    }

    func unlockAll() {
        for number in 0..<count { self[number].unlock() }
    }
}

/// One of them: a place in memory that `HitStripes` owns. All but `lock` needs the lock.
struct HitStripe {
    /// Hits that policy and sketch have not been told of, at most.
    static let notedLimit = 64
    /// Two lines, since processors fetch lines in pairs.
    fileprivate static let alignment = 128
    /// Head, 64 bytes at most, and four bytes for each note.
    fileprivate static let stride = 384
    private static let notedOffset = 64

    private struct Head {
        var mutex = pthread_mutex_t()
        var notedCount = 0
        var hits: Int64 = 0
    }

    private let base: UnsafeMutableRawPointer

    @inline(__always)
    fileprivate init(_ base: UnsafeMutableRawPointer) { self.base = base }

    @inline(__always)
    func lock() { pthread_mutex_lock(mutex) }

    @inline(__always)
    func unlock() { pthread_mutex_unlock(mutex) }

    /// Counts a hit, and notes its node.
    /// - Returns: whether there is no room for another note.
    @inline(__always)
    func note(_ node: UInt32) -> Bool {
        let place = head.pointee.notedCount
        noted[place] = node
        head.pointee.notedCount = place &+ 1
        head.pointee.hits &+= 1
        return place &+ 1 == HitStripe.notedLimit
    }

    var hits: Int64 { head.pointee.hits }

    /// Nodes of hits, in their order.
    var noted: UnsafeMutablePointer<UInt32> {
        (base + HitStripe.notedOffset).assumingMemoryBound(to: UInt32.self)
    }

    var notedCount: Int { head.pointee.notedCount }

    func forget() { head.pointee.notedCount = 0 }

    fileprivate func initialize() {
        precondition(MemoryLayout<Head>.size <= HitStripe.notedOffset)
        base.initializeMemory(as: Head.self, to: Head())
        (base + HitStripe.notedOffset).initializeMemory(
            as: UInt32.self, repeating: 0, count: HitStripe.notedLimit)
        var attributes = pthread_mutexattr_t()
        pthread_mutexattr_init(&attributes)
        // Waiters spin a little before they sleep: it is held for some dozen nanoseconds.
        pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_ADAPTIVE_NP))
        pthread_mutex_init(mutex, &attributes)
        pthread_mutexattr_destroy(&attributes)
    }

    fileprivate func deinitialize() { pthread_mutex_destroy(mutex) }

    @inline(__always)
    private var head: UnsafeMutablePointer<Head> { base.assumingMemoryBound(to: Head.self) }

    /// The first field of the head.
    @inline(__always)
    private var mutex: UnsafeMutablePointer<pthread_mutex_t> {
        base.assumingMemoryBound(to: pthread_mutex_t.self)
    }
}
