/// How logs are stored.
package struct LogStoreOptions: Sendable {
    /// Age of a day's end at which the day is dropped; nil keeps every day.
    package var retention: Duration?
    /// Of all files together; the oldest days are dropped beyond it.
    package var maxBytes: Int64 = 10 << 30
    /// Records that may wait to be written: a second or two of a flood.
    package var queueBytes = 64 << 20
    /// How long the first record waits for others to share its transaction.
    package var gather = Duration.milliseconds(100)

    package init() {}
}
