/// Why the container could not make, start or stop a component.
package struct ContainerError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        case missing = "not registered"
        case cycle
        case factory = "could not make"
        case start = "could not start", stop = "could not stop"
    }

    package let code: Code
    /// The component that was asked for, then what it asked for, and so on to where it failed.
    package let path: [ComponentKey]
    /// What a factory, start or stop threw.
    package var cause: (any Error)?

    /// `cycle: A → B → A`.
    package var description: String {
        let route = path.map(\.description).joined(separator: " → ")
        return "\(code.rawValue): \(route)" + (cause.map { ": \($0)" } ?? "")
    }
}
