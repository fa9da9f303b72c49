/// The words and marks of an SQL text, as far as its structure needs them (sqlite.org/lang.html).
struct SQLTokens: Sequence, IteratorProtocol {
    enum Token: Equatable {
        /// A keyword or a name, quoted or not, or a text, for SQLite takes some texts for names. In
        /// lower case.
        case name(String)
        /// A parameter, with the mark before its name.
        case parameter(String)
        case mark(UInt8)
    }

    private let bytes: [UInt8]
    private var index = 0
    /// The byte at which the last token begins.
    private(set) var start = 0

    init(_ sql: String) { bytes = Array(sql.utf8) }

    mutating func next() -> Token? {
        skipSpace()
        start = index
        guard index < bytes.count else { return nil }
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"):
            return .name(quoted(until: byte, doubled: true))
        case UInt8(ascii: "["): return .name(quoted(until: UInt8(ascii: "]"), doubled: false))
        case UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: "$"):
            index += 1
            return .parameter(String(UnicodeScalar(byte)) + word())
        case let byte where SQLTokens.isWord(byte): return .name(word().lowercased())
        default:
            index += 1
            return .mark(byte)
        }
    }

    private mutating func skipSpace() {
        while index < bytes.count {
            if bytes[index...].starts(with: "--".utf8) {
                index = bytes[index...].firstIndex(of: 0x0A) ?? bytes.count
            } else if bytes[index...].starts(with: "/*".utf8) {
                index += 2
                while index < bytes.count, !bytes[index...].starts(with: "*/".utf8) { index += 1 }
                index = Swift.min(index + 2, bytes.count)
            } else if bytes[index] == 0x20 || (0x09...0x0D).contains(bytes[index]) {
                index += 1
            } else {
                return
            }
        }
    }

    private mutating func word() -> String {
        let start = index
        while index < bytes.count, SQLTokens.isWord(bytes[index]) { index += 1 }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func quoted(until end: UInt8, doubled: Bool) -> String {
        index += 1
        var text: [UInt8] = []
        while index < bytes.count {
            if bytes[index] == end {
                index += 1
                guard doubled, index < bytes.count, bytes[index] == end else { break }
            }
            text.append(bytes[index])
            index += 1
        }
        return String(decoding: text, as: UTF8.self).lowercased()
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), 0x80...: true
        default: false
        }
    }
}
