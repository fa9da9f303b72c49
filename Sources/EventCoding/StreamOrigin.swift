import Journal
import Primitives

/// The field `origin` of an entry: `NODE:JOURNAL-SEQUENCE`, the journal record that it came from, with
/// `:g` at the end if the service gave the event its id. Such an id stands for the event by itself; a
/// client's does only together with the source, and both must be the same event on whichever way
/// they come to the store. The sequence is 0 for events that were read from a store.
package enum StreamOrigin {
    package static let generatedMark: StaticString = ":g"

    /// The node that wrote the entry; nil where it is no origin of ours.
    package static func node(_ origin: UnsafeRawBufferPointer?) -> String? {
        guard let rest = withoutMark(origin), let colon = rest.lastIndex(of: UInt8(ascii: ":"))
        else { return nil }
        return String(decoding: rest[..<colon], as: UTF8.self)
    }

    package static func hasGeneratedID(_ origin: UnsafeRawBufferPointer?) -> Bool {
        guard let origin, origin.count >= 2 else { return false }
        return origin[origin.count - 2] == UInt8(ascii: ":")
            && origin[origin.count - 1] == UInt8(ascii: "g")
    }

    /// What comes before the sequence in the origins of one journal.
    package static func prefix(_ node: String, _ journal: JournalIdentity) -> Bytes {
        Bytes("\(node):\(journal)-")
    }

    /// The sequence of an origin that begins with `prefix`; nil for any other.
    package static func sequence(
        _ origin: UnsafeRawBufferPointer?, after prefix: UnsafeRawBufferPointer
    ) -> UInt64? {
        guard let rest = withoutMark(origin), rest.count > prefix.count,
            rest.prefix(prefix.count).elementsEqual(prefix)
        else { return nil }
        var value: UInt64 = 0
        for byte in rest.dropFirst(prefix.count) {
            guard case let digit = byte &- UInt8(ascii: "0"), digit < 10 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }

    private static func withoutMark(_ origin: UnsafeRawBufferPointer?) -> UnsafeRawBufferPointer? {
        guard let origin, hasGeneratedID(origin) else { return origin }
        return UnsafeRawBufferPointer(rebasing: origin.dropLast(2))
    }
}
