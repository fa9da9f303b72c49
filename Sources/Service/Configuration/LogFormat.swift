/// How log records look.
package enum LogFormat: String, CaseIterable, Sendable {
    /// `text` if stdout is a terminal, else `json`.
    case auto
    case json, text
}
