internal import Glibc
import Primitives
internal import Synchronization

/// Why a key has no answer for a moment: its questions are then not made to wait for each other.
package enum CacheMarker: UInt8, Sendable {
    /// The answer is larger than an entry may be, or was cheaper to compute than to keep.
    case notKept
    /// Computing failed, and would fail again.
    case failed
}

/// How long an entry serves, from the moment it was computed.
package struct CacheLifetime: Sendable, Equatable {
    /// It answers as it is.
    package var fresh: Duration
    /// After that it still answers, while a new one is computed.
    package var staleWhileRevalidate: Duration
    /// After that it answers where computing fails.
    package var staleIfError: Duration

    package init(
        fresh: Duration, staleWhileRevalidate: Duration = .zero, staleIfError: Duration = .zero
    ) {
        self.fresh = fresh
        self.staleWhileRevalidate = staleWhileRevalidate
        self.staleIfError = staleIfError
    }
}

/// One answer and what is known of it. Nothing changes after it was made, except when it was last
/// found to be what the data says, and what hangs on it. Any thread.
package final class CacheEntry: @unchecked Sendable {  // Constants and atomics.
    /// Together with `hash` 128 bits that stand for the key. What is looked at on the way of a hit comes
    /// first, so that it mostly shares a line of the processor's cache with the count of references:
    /// objects begin at multiples of 16 bytes, and these are the first 32.
    private let check: UInt64
    package let hardExpiry: MonotonicTime
    let hash: UInt64
    private let keyBase: UnsafeMutableRawPointer
    private let keyCount: Int
    private let verified: Atomic<UInt64>
    /// The version of the data for which the answer is known to be right; 0 if none is.
    private let version: Atomic<UInt64>
    package let freshUntil: MonotonicTime
    package let staleUntil: MonotonicTime
    package let computedAt: MonotonicTime

    /// The answer; nil for a marker.
    package let body: Bytes?
    /// The same as one gzip member, where that is smaller.
    package let gzipBody: Bytes?
    /// What the caller wants back with the body, such as its form; the cache only carries it.
    package let detail: CacheDetail
    package let marker: CacheMarker?
    package let stamp: GenerationStamp?
    /// Hashes of the tags by which it may be purged.
    let tags: [UInt64]
    /// What it took to compute.
    package let cost: Duration
    /// Bytes that it takes up in all, this object and its place in the tier counted.
    package let weight: Int
    /// Until then somebody is having a new answer computed.
    private let claimed = Atomic<UInt64>(0)
    private let attached = Atomic<UnsafeRawPointer?>(nil)
    private let left = Atomic<Bool>(false)

    /// This object 232 bytes, two `Bytes` 2 × (48 + 16), padding 2 × 64, what `malloc` adds to five
    /// blocks 5 × 16, node 24, pointer 8 and index 64 (tables are half full after they grew, so
    /// twice the size), sketch 16.
    package static let overheadBytes = 680

    init(
        key: UnsafeRawBufferPointer, hash: Key128, _ content: CacheContent,
        computedAt: MonotonicTime, lifetime: CacheLifetime
    ) {
        keyBase = CacheEntry.copy(key)
        keyCount = key.count
        self.hash = hash.low
        check = hash.high
        self.computedAt = computedAt
        verified = Atomic(computedAt.nanoseconds)
        version = Atomic(content.version)
        freshUntil = computedAt + lifetime.fresh
        staleUntil = freshUntil + lifetime.staleWhileRevalidate
        hardExpiry = freshUntil + max(lifetime.staleWhileRevalidate, lifetime.staleIfError)
        body = content.body
        gzipBody = content.gzipBody
        detail = content.detail
        marker = content.marker
        stamp = content.stamp
        tags = content.tags
        cost = content.cost
        weight =
            CacheEntry.overheadBytes + key.count + (content.body?.count ?? 0)
            + (content.gzipBody?.count ?? 0) + content.detail.byteCount + content.tags.count * 8
            + content.attachedBytes
    }

    deinit {
        free(keyBase)
        if let pointer = attached.load(ordering: .acquiring) {
            Unmanaged<AnyObject>.fromOpaque(pointer).release()
        }
    }

    package var key: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: keyBase, count: keyCount)
    }

    /// The secret hash of its key.
    var identity: Key128 { Key128(high: check, low: hash) }

    /// Whether it is under the key with this hash, of which the index has compared 32 bits. The hash is
    /// secret, so nobody finds two keys that share these 96 bits, and neither the rest of it nor the key
    /// itself, on other lines of memory, need be read (decision 52).
    @inline(__always)
    func hasKey(hashing other: Key128) -> Bool { check == other.high }

    /// Lets one caller have a new answer computed; the others go on with this one. Whoever has the
    /// claim may fail without a word, so it lapses.
    package func claimRefresh(at now: MonotonicTime) -> Bool {
        let before = claimed.load(ordering: .relaxed)
        guard now.nanoseconds >= before else { return false }
        return claimed.compareExchange(
            expected: before, desired: (now + CacheEntry.claimTime).nanoseconds,
            ordering: .relaxed
        ).exchanged
    }
    private static let claimTime = Duration.milliseconds(250)

    /// The latest moment at which the data was known to be what the answer was computed from.
    package var verifiedAt: MonotonicTime {
        MonotonicTime(nanoseconds: verified.load(ordering: .relaxed))
    }

    /// Whether it is known to be right for this version of the data.
    package func isVerified(for current: UInt64) -> Bool {
        current != 0 && version.load(ordering: .relaxed) == current
    }

    /// The data is at `now` still what the answer was computed from.
    /// - Parameter current: the data's version from before that was seen; 0 if not known.
    package func verify(at now: MonotonicTime, version current: UInt64 = 0) {
        if current > version.load(ordering: .relaxed) {
            version.store(current, ordering: .relaxed)
        }
        // Mostly a read: two loops that serve the same entry would otherwise fight for its line.
        let before = verified.load(ordering: .relaxed)
        if now.nanoseconds > before &+ CacheEntry.verifyStep {
            verified.store(now.nanoseconds, ordering: .relaxed)
        }
    }
    private static let verifyStep: UInt64 = 1_000_000

    /// It is no longer in the tier: replaced, evicted, expired or purged. Whoever still has it may
    /// finish with it, and should not answer another question by it.
    package var hasLeft: Bool { left.load(ordering: .acquiring) }
    /// Under the shard's lock.
    func leave() { left.store(true, ordering: .releasing) }

    /// An object that lives as long as the entry, such as a prepared reply.
    package var attachment: AnyObject? {
        attached.load(ordering: .acquiring).map {
            Unmanaged<AnyObject>.fromOpaque($0).takeUnretainedValue()
        }
    }

    /// Hangs `object` on the entry, unless another thread was first.
    /// - Returns: what hangs on it.
    package func attach(_ object: AnyObject) -> AnyObject {
        let pointer = Unmanaged.passRetained(object).toOpaque()
        let (isFirst, other) = attached.compareExchange(
            expected: nil, desired: UnsafeRawPointer(pointer), ordering: .acquiringAndReleasing)
        guard !isFirst, let other else { return object }
        Unmanaged<AnyObject>.fromOpaque(pointer).release()
        return Unmanaged<AnyObject>.fromOpaque(other).takeUnretainedValue()
    }

    /// What it cost to compute a byte, on a scale of powers of two: 1 µs a byte is 10 more than
    /// 1 ns.
    var costClass: UInt8 {
        let perByte = max(cost.wholeNanoseconds, 0) / Int64(weight)
        return UInt8(64 - (perByte &+ 1).leadingZeroBitCount)
    }

    private static func copy(_ key: UnsafeRawBufferPointer) -> UnsafeMutableRawPointer {
        guard let base = malloc(max(key.count, 1)) else { preconditionFailure("out of memory") }
        if let source = key.baseAddress { memcpy(base, source, key.count) }
        return base
    }
}
