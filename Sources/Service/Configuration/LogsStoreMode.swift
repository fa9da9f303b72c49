/// What becomes of logs that others send.
package enum LogsStoreMode: String, CaseIterable, Sendable {
    /// They are stored and can be searched.
    case search
    /// They are kept as lines in files, for other programs to read.
    case files
    /// None are taken.
    case off
}
