/// Where a text stops being JSON (RFC 8259). simdjson says that it does but not where, so this is
/// asked after a refusal, for the message alone.
package struct JSONSyntax {
    /// Half of a surrogate pair is taken for a character.
    private let allowsLoneSurrogates: Bool
    private enum Expected { case value, valueOrClose, keyOrClose, key, commaOrClose, end }

    /// Deeper texts are refused for their depth before this is asked.
    private static let depthLimit = 1024

    private let bytes: UnsafeRawBufferPointer
    private var index = 0
    /// The brackets that are open.
    private var open: [UInt8] = []
    private var expected = Expected.value

    package struct Fault: Equatable, Sendable {
        /// Of the first byte that cannot stand where it does; `count` if the text ends too early.
        /// A bad or unfinished escape counts from its backslash.
        package let offset: Int
        /// A whole text stands before that byte.
        package let isBehindText: Bool
    }

    /// Nil if the grammar holds. Does not look at UTF-8 or at the size of numbers.
    /// - Parameter allowsLoneSurrogates: whether `LoneSurrogates` are no fault.
    package static func fault(
        in bytes: UnsafeRawBufferPointer, allowsLoneSurrogates: Bool = false
    ) -> Fault? {
        var syntax = JSONSyntax(bytes: bytes, allowsLoneSurrogates: allowsLoneSurrogates)
        if syntax.run() { return nil }
        return Fault(offset: syntax.index, isBehindText: syntax.expected == .end)
    }

    /// The offset of the first byte that is not UTF-8; nil if all are.
    package static func utf8ErrorOffset(in bytes: UnsafeRawBufferPointer) -> Int? {
        var parser = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var offset = 0
        while true {
            switch parser.parseScalar(from: &iterator) {
            case .valid(let scalar): offset += scalar.count
            case .error: return offset
            case .emptyInput: return nil
            }
        }
    }

    private init(bytes: UnsafeRawBufferPointer, allowsLoneSurrogates: Bool) {
        self.bytes = bytes
        self.allowsLoneSurrogates = allowsLoneSurrogates
    }

    /// - Returns: false with `index` at the fault.
    private mutating func run() -> Bool {
        while true {
            index = JSONScan.skipSpace(bytes, from: index)
            guard index < bytes.count else { return expected == .end }
            guard step(bytes[index]) else { return false }
            if open.count > JSONSyntax.depthLimit { return true }
        }
    }

    private mutating func step(_ byte: UInt8) -> Bool {
        switch expected {
        case .end: return false
        case .valueOrClose where byte == UInt8(ascii: "]"): return close()
        case .keyOrClose where byte == UInt8(ascii: "}"): return close()
        case .value, .valueOrClose: return takeValue(byte)
        case .key, .keyOrClose: return takeKey(byte)
        case .commaOrClose:
            let isObject = open.last == UInt8(ascii: "{")
            if byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) { return close() }
            guard byte == UInt8(ascii: ",") else { return false }
            index += 1
            expected = isObject ? .key : .value
            return true
        }
    }

    private mutating func close() -> Bool {
        open.removeLast()
        return finishValue(at: index + 1)
    }

    private mutating func finishValue(at end: Int) -> Bool {
        index = end
        expected = open.isEmpty ? .end : .commaOrClose
        return true
    }

    private mutating func takeKey(_ byte: UInt8) -> Bool {
        guard byte == UInt8(ascii: "\""), takeString() else { return false }
        index = JSONScan.skipSpace(bytes, from: index)
        guard index < bytes.count, bytes[index] == UInt8(ascii: ":") else { return false }
        index += 1
        expected = .value
        return true
    }

    private mutating func takeValue(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            open.append(byte)
            index += 1
            expected = byte == UInt8(ascii: "{") ? .keyOrClose : .valueOrClose
            return true
        case UInt8(ascii: "\""): return takeString() && finishValue(at: index)
        case UInt8(ascii: "t"): return takeWord("true")
        case UInt8(ascii: "f"): return takeWord("false")
        case UInt8(ascii: "n"): return takeWord("null")
        default: return takeNumber() && finishValue(at: index)
        }
    }

    private mutating func takeWord(_ word: StaticString) -> Bool {
        let word = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        for byte in word {
            guard index < bytes.count, bytes[index] == byte else { return false }
            index += 1
        }
        return finishValue(at: index)
    }

    private mutating func takeDigits() -> Bool {
        let start = index
        while index < bytes.count, bytes[index] &- 48 < 10 { index += 1 }
        return index > start
    }

    private mutating func skip(_ either: UInt8, _ or: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == either || bytes[index] == or else {
            return false
        }
        index += 1
        return true
    }

    private mutating func takeNumber() -> Bool {
        _ = skip(UInt8(ascii: "-"), UInt8(ascii: "-"))
        let isZero = skip(UInt8(ascii: "0"), UInt8(ascii: "0"))
        if !isZero, !takeDigits() { return false }
        if skip(UInt8(ascii: "."), UInt8(ascii: ".")), !takeDigits() { return false }
        if skip(UInt8(ascii: "e"), UInt8(ascii: "E")) {
            _ = skip(UInt8(ascii: "+"), UInt8(ascii: "-"))
            if !takeDigits() { return false }
        }
        return true
    }

    /// Steps over a string; `index` is at its first quote.
    private mutating func takeString() -> Bool {
        index += 1
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                index += 1
                return true
            case UInt8(ascii: "\\"):
                guard takeEscape() else { return false }
            case 0..<0x20: return false
            default: index += 1
            }
        }
        return false
    }

    private mutating func takeEscape() -> Bool {
        guard index + 1 < bytes.count else { return false }
        switch bytes[index + 1] {
        case UInt8(ascii: "u"): return takeUnicodeEscape()
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            index += 2
            return true
        default: return false
        }
    }

    /// Half of a surrogate pair is no character (RFC 8259, section 8.2); simdjson refuses it.
    private mutating func takeUnicodeEscape() -> Bool {
        guard let unit = bytes.codeUnit(at: index) else { return false }
        if bytes.isSurrogatePair(at: index) {
            index += 12
        } else if (0xD800..<0xE000).contains(unit), !allowsLoneSurrogates {
            return false
        } else {
            index += 6
        }
        return true
    }
}

extension UnsafeRawBufferPointer {
    /// The four hexadecimal digits of `\u1234` at `start`.
    func codeUnit(at start: Int) -> UInt16? {
        guard start + 6 <= count, self[start] == UInt8(ascii: "\\"),
            self[start + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt16 = 0
        for byte in self[start + 2..<start + 6] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }
}
