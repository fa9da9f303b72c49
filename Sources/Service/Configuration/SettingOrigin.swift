/// Where the value of a setting came from.
enum SettingOrigin: Equatable, Sendable, CustomStringConvertible {
    case flag(String)
    case environment(String)
    /// The line is nil where the key could not be found again in the text.
    case file(String, line: Int?)
    case standard

    /// Completes "from …".
    var description: String {
        switch self {
        case .flag(let flag): "flag \(flag)"
        case .environment(let variable): "environment \(variable)"
        case .file(let path, let line): "file \(path)" + (line.map { ":\($0)" } ?? "")
        case .standard: "default"
        }
    }
}
