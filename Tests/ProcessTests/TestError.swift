/// Why a test could not go on: not a finding about the service but about the way to it.
struct TestError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
