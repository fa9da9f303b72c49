import Masking

/// What a logger is made with.
package struct LogOptions: Sendable {
    /// Rings of threads that log at the same time. Further threads share one, under a lock.
    package var ringLimit = 16
    /// Of each ring: 640 KiB hold some 6,000 records of 100 bytes, so 16 take 10 MiB and hold
    /// 100,000.
    package var ringBytes = 640 << 10
    package var sampling: LogSampling?
    /// Masks what varies in a record before any sink sees it: values of text, request ids, names of
    /// a library's fields, and every value under a secret name. Nil leaves all as it is.
    package var masker: Masker?

    package init() {}

    /// The largest record: what does not fit is dropped and counted as too large.
    var recordLimitBytes: Int { min(64 << 10, ringBytes / 8) }
}

/// Of each message and level below `error`: how many records are kept.
package struct LogSampling: Sendable, Equatable {
    /// The first of a second are all kept.
    package var firstPerSecond: Int
    /// After those, each so-manieth.
    package var thenEvery: Int

    package init(firstPerSecond: Int, thenEvery: Int) {
        self.firstPerSecond = firstPerSecond
        self.thenEvery = thenEvery
    }
}
