import Primitives

/// The replies that one event loop may send again, found by the bytes of a request. Belongs to the
/// loop's thread.
///
/// A four-way set-associative table: a reply that has expired is replaced first, and without one the
/// four of a set are replaced in turn.
final class RepeatTable {
    private static let setCount = 256
    private static let ways = 4

    private let hashes: UnsafeMutablePointer<UInt64>
    private var replies: [RepeatedReply?]
    private let seed = UInt64.random(in: 0 ... .max)
    private var turn = 0
    private(set) var isEmpty = true

    init() {
        let count = RepeatTable.setCount * RepeatTable.ways
        hashes = .allocate(capacity: count)
        hashes.initialize(repeating: 0, count: count)
        replies = Array(repeating: nil, count: count)
    }

    deinit { hashes.deallocate() }

    /// The reply to the same request, valid or expired.
    func find(_ request: RequestBytes) -> RepeatedReply? {
        let hash = request.hash(seed: seed)
        let first = RepeatTable.first(hash)
        for place in first..<first + RepeatTable.ways where hashes[place] == hash {
            if let reply = replies[place], reply.isFor(request) { return reply }
        }
        return nil
    }

    /// Keeps `reply` instead of what its request had.
    func keep(_ reply: RepeatedReply, for request: RequestBytes, at now: MonotonicTime) {
        isEmpty = false
        let hash = request.hash(seed: seed)
        let first = RepeatTable.first(hash)
        let places = first..<first + RepeatTable.ways
        turn = (turn + 1) % RepeatTable.ways
        let place =
            places.first { hashes[$0] == hash && replies[$0]?.isFor(request) == true }
            ?? places.first { replies[$0].map { $0.until <= now } ?? true } ?? first + turn
        hashes[place] = hash
        replies[place] = reply
    }

    /// Frees expired replies and the bodies that they hold.
    func dropOld(at now: MonotonicTime) {
        if isEmpty { return }
        isEmpty = true
        for place in replies.indices {
            guard let reply = replies[place] else { continue }
            if reply.until <= now {
                replies[place] = nil
                hashes[place] = 0
            } else {
                isEmpty = false
            }
        }
    }

    func removeAll() {
        for place in replies.indices { replies[place] = nil }
        isEmpty = true
    }

    private static func first(_ hash: UInt64) -> Int {
        (Int(truncatingIfNeeded: hash >> 40) & (setCount - 1)) * ways
    }
}
