/// What can be chosen about a store.
package struct EventStoreOptions: Sendable {
    /// Page cache of the writer. It grows to this only while events come in, and holds the pages
    /// that one batch touches: client ids land all over their index.
    package var writerCacheKiB = 16 << 10
    /// Questions answered at the same time.
    package var readerCount = 4
    package var readerCacheKiB = 1 << 10
    /// The write-ahead log is moved into the database file once it has grown by this.
    package var checkpointBytes = 16 << 20
    /// The same after this time, so that the journal can let go of what is stored.
    package var checkpointInterval = Duration.seconds(2)
    /// Beyond this size of the log the writer waits a moment for readers of old states.
    package var logLimitBytes = 64 << 20
    package var quarantine = QuarantineLimits()
    package var schema = Schema.current

    package init() {}
}
