/// What a key may be allowed to do. The raw value is what a keys file, a command line and an error
/// say.
enum KeyScope: String, CaseIterable, Sendable {
    case eventsWrite = "events:write"
    case eventsRead = "events:read"
    case query
    case querySQL = "query:sql"
    case logsWrite = "logs:write"
    case logsRead = "logs:read"
    case admin

    /// All of them, for messages.
    static let list = allCases.map(\.rawValue).joined(separator: ", ")
}
