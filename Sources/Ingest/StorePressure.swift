import Primitives

/// Decides when storing has fallen behind so far that it may no longer yield to ingest.
struct StorePressure {
    /// How old the oldest event may get that `/query` does not see yet.
    static let limit = Duration.seconds(10)
    /// Pressure ends below this, so that the turn does not change with every batch.
    private static let relief = Duration.seconds(1)
    private static let markInterval = Duration.milliseconds(250)

    /// What was acknowledged when: at most one entry each `markInterval`, gone once it is stored.
    private var marks: [(time: MonotonicTime, committed: UInt64)] = []
    private var isPressing = false
    private let journalMaxBytes: Int

    init(journalMaxBytes: Int) { self.journalMaxBytes = journalMaxBytes }

    /// - Parameters:
    ///   - committed: the journal's last acknowledged sequence.
    ///   - stored: the last sequence in the store.
    /// - Returns: whether storing should press on.
    mutating func update(
        now: MonotonicTime, committed: UInt64, stored: UInt64, retainedBytes: Int
    ) -> Bool {
        marks.removeAll { $0.committed <= stored }
        let isNew = marks.last.map { now.since($0.time) >= StorePressure.markInterval } ?? true
        if isNew, committed > stored { marks.append((now, committed)) }
        let lag = marks.first.map { now.since($0.time) } ?? .zero
        if isPressing {
            isPressing = lag > StorePressure.relief || retainedBytes > journalMaxBytes / 4
        } else {
            isPressing = lag > StorePressure.limit || retainedBytes > journalMaxBytes / 2
        }
        return isPressing
    }
}
