/// Decides which of many equal records are kept. The back end's thread alone uses it.
struct LogSampler {
    private struct Site: Hashable {
        let message: UInt64
        let level: LogLevel
    }

    fileprivate struct Count {
        var second: UInt64 = 0
        var seen = 0
        /// Since the last one that was kept.
        var skipped = 0
    }

    private let sampling: LogSampling
    private var counts: [Site: Count] = [:]

    init(_ sampling: LogSampling) { self.sampling = sampling }

    /// - Returns: nil if the record is left out; else how many like it were, since the last one
    ///   that was kept.
    mutating func admit(_ record: LogRecord) -> Int? {
        guard record.level < .error else { return 0 }
        // As many entries as the program has messages.
        let site = Site(message: record.messageAddress, level: record.level)
        return counts[site, default: Count()].admit(record.nanoseconds / 1_000_000_000, sampling)
    }
}

extension LogSampler.Count {
    fileprivate mutating func admit(_ now: UInt64, _ sampling: LogSampling) -> Int? {
        if now != second {
            second = now
            seen = 0
        }
        seen += 1
        let beyond = seen - sampling.firstPerSecond
        guard beyond <= 0 || beyond % sampling.thenEvery == 0 else {
            skipped += 1
            return nil
        }
        defer { skipped = 0 }
        return skipped
    }
}
