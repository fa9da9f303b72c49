import Primitives

/// The field `origin` of an entry: `node:sequence`, the journal record that it came from, and `:g`
/// behind it if the service gave the event its id. Such an id stands for the event by itself; a
/// client's does only together with the source, and both must be the same event on whichever way
/// they come to the store.
enum StreamOrigin {
    static let generatedMark: StaticString = ":g"

    static func hasGeneratedID(_ origin: UnsafeRawBufferPointer?) -> Bool {
        guard let origin, origin.count >= 2 else { return false }
        return origin[origin.count - 2] == UInt8(ascii: ":")
            && origin[origin.count - 1] == UInt8(ascii: "g")
    }
}
