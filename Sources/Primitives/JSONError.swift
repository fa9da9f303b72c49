/// Why bytes are not the JSON that was asked for. Carries nothing of the input.
package enum JSONError: Error, Equatable, Sendable {
    /// Nothing, or white space alone.
    case empty
    case notUTF8
    case tooDeep
    /// Well formed, but beyond doubles.
    case numberOutOfRange
    case invalid
    /// Above 4 GiB, or no memory for it.
    case tooLarge
    /// JSON, but not an object, where one was asked for.
    case notObject
    /// A whole JSON text with something other than white space behind it.
    case trailingContent

    /// One sentence for people.
    package var message: StaticString {
        switch self {
        case .empty: "There is no JSON text."
        case .notUTF8: "The text is not UTF-8."
        case .tooDeep: "The JSON text is nested too deep."
        case .numberOutOfRange: "A number is beyond what a double holds."
        case .invalid: "The text is not JSON."
        case .tooLarge: "The JSON text is too large."
        case .notObject: "The JSON text is not an object."
        case .trailingContent: "Something follows the JSON text."
        }
    }
}
