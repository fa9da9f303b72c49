import Primitives

/// Whether a record is one that a filter asks for, without a store: for records on their way to a
/// tail.
///
/// Words are told apart as FTS5's `unicode61` does, but for one thing: accents count here.
package struct LogMatcher: Sendable {
    /// A term as it stands in a text of `normalize`.
    private struct Needle: Sendable {
        var text: [UInt8]
        var isLiteral: Bool
    }

    private let filter: LogFilter
    private let services: [[UInt8]]
    private let needles: [Needle]

    package init(_ filter: LogFilter) {
        self.filter = filter
        services = filter.services.map { Array($0.utf8) }
        needles = (filter.terms?.terms ?? []).map { term in
            if term.isLiteral {
                return Needle(text: Array(term.text.utf8), isLiteral: true)
            }
            let bytes = Bytes(term.text)
            var text = LogMatcher.normalize(bytes.span)
            withExtendedLifetime(bytes) {}
            if term.isPrefix { text.removeLast() }
            return Needle(text: text, isLiteral: false)
        }
    }

    package func matches(_ record: LogRecord) -> Bool {
        guard record.severity >= filter.severity else { return false }
        guard services.isEmpty || services.contains(where: { record.service.elementsEqual($0) })
        else { return false }
        if let traceID = filter.traceID {
            guard record.flags.contains(.trace), record.traceID == traceID else { return false }
        }
        return needles.isEmpty || hasNeedles(record)
    }

    private func hasNeedles(_ record: LogRecord) -> Bool {
        var words = ByteBuffer(capacity: 1024)
        LogWords.append(record, to: &words)
        let text = LogMatcher.normalize(words.span)
        return needles.allSatisfy { needle in
            if needle.isLiteral { return LogMatcher.contains(words.span, needle.text) }
            return text.withUnsafeBytes { LogMatcher.contains($0, needle.text) }
        }
    }

    /// The words of a text in lower case, one space around each.
    private static func normalize(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var text: [UInt8] = [0x20]
        text.reserveCapacity(bytes.count + 2)
        func separate() { if text.last != 0x20 { text.append(0x20) } }
        if bytes.allSatisfy({ $0 < 0x80 }) {
            for byte in bytes {
                switch byte {
                case 0x30...0x39, 0x61...0x7A: text.append(byte)
                case 0x41...0x5A: text.append(byte | 0x20)
                default: separate()
                }
            }
        } else {
            for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
                if LogTerms.isTokenScalar(scalar) {
                    text.append(contentsOf: scalar.properties.lowercaseMapping.utf8)
                } else if scalar.properties.generalCategory != .nonspacingMark {
                    separate()
                }
            }
        }
        separate()
        return text
    }

    private static func contains(_ text: UnsafeRawBufferPointer, _ needle: [UInt8]) -> Bool {
        guard let first = needle.first, text.count >= needle.count else { return needle.isEmpty }
        for start in 0...(text.count - needle.count) where text[start] == first {
            if text[start..<start + needle.count].elementsEqual(needle) { return true }
        }
        return false
    }
}
