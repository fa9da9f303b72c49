import Primitives

/// The id that Redis gave a stream entry: milliseconds of its clock, then a number within them.
/// Ids of one stream only grow.
package struct StreamEntryID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var milliseconds: UInt64
    package var number: UInt64

    package init(milliseconds: UInt64, number: UInt64) {
        self.milliseconds = milliseconds
        self.number = number
    }

    /// Below every entry's id.
    package static let zero = StreamEntryID(milliseconds: 0, number: 0)

    /// Reads `1700000000000-0`; nil for anything else.
    package init?(_ text: UnsafeRawBufferPointer) {
        var index = 0
        guard let milliseconds = StreamEntryID.number(text, &index), index < text.count,
            text[index] == UInt8(ascii: "-")
        else { return nil }
        index += 1
        guard let number = StreamEntryID.number(text, &index), index == text.count else {
            return nil
        }
        self.init(milliseconds: milliseconds, number: number)
    }

    package init?(_ text: some StringProtocol) {
        var text = String(text)
        guard let id = text.withUTF8({ StreamEntryID(UnsafeRawBufferPointer($0)) }) else {
            return nil
        }
        self = id
    }

    /// The least id above this one; itself, where there is none.
    package var next: StreamEntryID {
        guard milliseconds < .max || number < .max else { return self }
        return number == .max
            ? StreamEntryID(milliseconds: milliseconds + 1, number: 0)
            : StreamEntryID(milliseconds: milliseconds, number: number + 1)
    }

    package var description: String { "\(milliseconds)-\(number)" }

    package static func < (a: StreamEntryID, b: StreamEntryID) -> Bool {
        a.milliseconds != b.milliseconds
            ? a.milliseconds < b.milliseconds : a.number < b.number
    }

    private static func number(_ text: UnsafeRawBufferPointer, _ index: inout Int) -> UInt64? {
        let start = index
        var value: UInt64 = 0
        while index < text.count, case let digit = text[index] &- 48, digit < 10 {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { return nil }
            value = sum
            index += 1
        }
        return index > start ? value : nil
    }
}

extension ByteBuffer {
    package mutating func append(_ id: StreamEntryID) {
        append(decimal: id.milliseconds)
        append(UInt8(ascii: "-"))
        append(decimal: id.number)
    }
}
