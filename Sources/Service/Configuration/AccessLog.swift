/// Which requests get a log record.
package enum AccessLog: String, CaseIterable, Sendable {
    case off
    /// Those answered with 400 or more.
    case errors
    case all
}
