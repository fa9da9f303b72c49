/// Why a test could not go on: what came over the wire is no reply, or nothing came.
struct WireError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
