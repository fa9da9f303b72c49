internal import Glibc

/// A call of the system failed, or a program did not do what it was started for.
package struct SystemFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }

    /// What failed, and the system's words for `code`.
    package init(_ what: String, errno code: Int32) {
        description = "\(what): \(String(cString: strerror(code)))"
    }
}
