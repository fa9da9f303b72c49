import Primitives

/// The field `origin` of an entry: `node:sequence`, the journal record that it came from, and `:g`
/// behind it if the service gave the event its id. Such an id stands for the event by itself; a
/// client's does only together with the source, and both must be the same event on whichever way
/// they come to the store.
enum StreamOrigin {
    static let generatedMark: StaticString = ":g"

    /// The node that wrote the entry; nil where it is no origin of ours.
    static func node(_ origin: UnsafeRawBufferPointer?) -> String? {
        guard var rest = origin else { return nil }
        if hasGeneratedID(origin) { rest = UnsafeRawBufferPointer(rebasing: rest.dropLast(2)) }
        guard let colon = rest.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        return String(decoding: rest[..<colon], as: UTF8.self)
    }

    static func hasGeneratedID(_ origin: UnsafeRawBufferPointer?) -> Bool {
        guard let origin, origin.count >= 2 else { return false }
        return origin[origin.count - 2] == UInt8(ascii: ":")
            && origin[origin.count - 1] == UInt8(ascii: "g")
    }
}
