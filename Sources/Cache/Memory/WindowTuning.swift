import Primitives
internal import Synchronization

/// The tuner of all shards, behind a lock that only questions of its sample take. Any thread.
final class WindowTuning: @unchecked Sendable {  // `lock` guards `tuner` and `asked`.
    private let lock = BareLock()
    private var tuner = WindowTuner()
    private var asked = 0
    private let seed: UInt64
    private let mask = Atomic<UInt64>(.max)
    private let shareBits = Atomic<UInt64>(WindowTuner.firstShare.bitPattern)

    /// Sampled questions between two looks at how many entries there are.
    private static let reviewPeriod = 16_384

    init(seed: UInt64) { self.seed = seed }

    deinit { tuner.destroy() }

    /// Not before the cache has been full: until then every window is as good.
    var isRunning: Bool { mask.load(ordering: .relaxed) != .max }
    var share: Double { Double(bitPattern: shareBits.load(ordering: .relaxed)) }

    @inline(__always)
    func samples(_ hash: UInt64) -> Bool {
        WindowTuner.samples(hash, mask: mask.load(ordering: .relaxed))
    }

    /// Starts with miniatures for that many entries, unless those that run are about as large.
    func begin(entries: Int) {
        lock.lock()
        defer { lock.unlock() }
        let known = tuner.entryCount
        guard entries > 0, known == 0 || entries > known * 2 || entries < known / 2 else { return }
        tuner.begin(entries: entries, seed: seed)
        mask.store(tuner.sampleMask, ordering: .relaxed)
    }

    /// A question of the sample.
    /// - Returns: whether it is time to look at how many entries there are.
    func ask(_ hash: UInt64) -> Bool {
        lock.lock()
        defer { lock.unlock() }
        guard tuner.entryCount > 0 else { return false }
        if tuner.ask(hash) { shareBits.store(tuner.share.bitPattern, ordering: .relaxed) }
        asked += 1
        if asked < WindowTuning.reviewPeriod { return false }
        asked = 0
        return true
    }
}
