/// Why a test could not go on: not a finding about the service but about the way to it.
package struct TestError: Error, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}
