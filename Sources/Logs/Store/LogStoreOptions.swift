import Storage

/// How logs are stored.
package struct LogStoreOptions: Sendable {
    /// Ages by service, counted from the end of a record's day.
    package var retention = RetentionPolicy()
    /// Of all files together; beyond it days of the past are dropped, the oldest first, and once
    /// the days that are not over take all of it, nothing is taken.
    package var maxBytes: Int64 = 10 << 30
    /// Days that have a file, whatever their size: more are a sender without a clock, or one that
    /// means harm, and each is opened by a search.
    package var dayLimit = 4000
    /// Files that are made at once for days of the past: each takes some 25 ms, for which all other
    /// logs wait.
    package var newDaysAtOnce = 16
    /// Records that may wait to be written: a second or two of a flood.
    package var queueBytes = 64 << 20
    /// How long the first record waits for others to share its transaction.
    package var gather = Duration.milliseconds(100)

    package init() {}
}
