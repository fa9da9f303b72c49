/// What can be chosen about a store.
package struct EventStoreOptions: Sendable {
    /// Page cache of the writer. It grows to this only while events come in, and holds the pages
    /// that one batch touches: client ids land all over their index.
    package var writerCacheKiB = 16 << 10
    /// Questions answered at the same time.
    package var readerCount = 4
    /// Of these, the ones that are not lent to make another question quicker.
    package var sparedReaders = 0
    package var readerCacheKiB = 1 << 10
    /// A commit returns once the disk has it. For events that come from elsewhere and are
    /// acknowledged there: no journal of ours could give them back after a power failure.
    package var syncsCommits = false
    /// The write-ahead log is moved into the database file once it has grown by this, and by an
    /// eighth of that file. Client ids touch pages all over a large file, and one checkpoint of a
    /// long log writes each of them once (54,000 to 67,000 rows/s at 2 million events).
    package var checkpointBytes = 16 << 20
    /// The same after this time, so that the journal can let go of what is stored.
    package var checkpointInterval = Duration.seconds(2)
    /// Beyond this size of the log it is moved in any case, and the writer waits a moment for
    /// readers of old states.
    package var logLimitBytes = 96 << 20
    package var quarantine = QuarantineLimits()
    package var deadLetters = DeadLetterLimits()
    /// Matchers of erasures that have finished are kept, since what they erase may still come from
    /// other nodes.
    package var keepsErasureMatchers = false
    package var schema = Schema.current
    /// What is kept of events beside them; nil for nothing.
    package var derived: (any DerivedRows)?
    /// Identities that are kept in memory before they become a file: 16 MiB, half of it free.
    package var identityTableCount = IdentityTable.fullCount
    /// Rows that are read again when the store is opened, for identities that a kill took from memory.
    /// More are read while the service runs, and nothing is stored before. A million take 0.3 s.
    package var identityRowsAtOpen: Int64 = 2 << 20

    package init() {}
}
