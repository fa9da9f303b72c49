internal import Glibc

/// The environment of this process. It is read here and nowhere else.
enum ProcessEnvironment {
    /// Our variables and none else: what others put there is not ours to copy about.
    static func variables() -> [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if text.hasPrefix(SettingRow.variablePrefix), let split = text.firstIndex(of: "=") {
                variables[String(text[..<split])] = String(text[text.index(after: split)...])
            }
            next += 1
        }
        return variables
    }
}
