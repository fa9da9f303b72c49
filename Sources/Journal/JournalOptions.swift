import Primitives

/// Where the journal lies, how much it may hold and when it syncs.
package struct JournalOptions: Sendable {
    package enum Sync: Equatable, Sendable {
        /// Nothing is acknowledged before `fdatasync` returned.
        case always
        /// Acknowledged once written, synced at least this often: a crash of the machine, though
        /// not of the process, can lose what was acknowledged within the interval.
        case interval(Duration)

        package var name: String { self == .always ? "always" : "interval" }
    }

    /// The smallest segment; below it a single request would often need one of its own.
    static let segmentFloorBytes = 64 << 10

    package var directory: String
    package var segmentBytes: Int
    /// Segments that some consumer still needs may fill this much; then `.full`.
    package var maxBytes: Int
    /// Segments that nobody needs are kept up to this much, so that they can be sent again.
    package var retainBytes: Int
    package var sync: Sync

    package init(
        directory: String, segmentBytes: Int = 16 << 20, maxBytes: Int = 1 << 30,
        retainBytes: Int = 0, sync: Sync = .always
    ) {
        self.directory = directory
        self.segmentBytes = segmentBytes
        self.maxBytes = maxBytes
        self.retainBytes = retainBytes
        self.sync = sync
    }

    /// The same with a segment size that leaves room for sixteen segments below the cap, since whole
    /// segments are what the cap counts and what a consumer's release sets free.
    /// - Throws: `JournalError` with `.invalidOptions`.
    func checked() throws(JournalError) -> JournalOptions {
        guard maxBytes >= 4 * JournalOptions.segmentFloorBytes else {
            throw JournalError(
                .invalidOptions,
                "the journal needs at least \(4 * JournalOptions.segmentFloorBytes) bytes")
        }
        if case .interval(let interval) = sync, interval <= .zero {
            throw JournalError(.invalidOptions, "the journal's sync interval must be positive")
        }
        var checked = self
        let fitting = min(segmentBytes, maxBytes / 16) / 4096 * 4096
        checked.segmentBytes = max(JournalOptions.segmentFloorBytes, fitting)
        return checked
    }
}
