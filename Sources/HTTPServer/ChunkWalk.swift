import Primitives

/// Shows that the framing of a chunked body is as RFC 9112, section 7.1, has it, by looking at what
/// lies between the pieces that libmicrohttpd gives.
///
/// libmicrohttpd 0.9.75 takes a bare line feed for the end of a size line or of a chunk, and anything
/// for an extension. A proxy in front may see another body there, and a request in what is left. It
/// gives each piece where it lies in the connection's memory, after the bytes that frame it:
///
///     … header CR LF CR LF | 5 ; a = b CR LF | hello | CR LF 3 CR LF | wor
///                          ^ bodyStart        ^ piece                  ^ piece
///
/// When it has used up what it has read, it moves the rest to `bodyStart` and reads more after it. So
/// the framing before a piece begins at the end of the piece before, or at `bodyStart`. Both are
/// tried: framing holds a line end in its middle, which neither a size line nor an extension may
/// hold, so text that is wrong in one place is never right in the other.
///
/// The last chunk has no piece. What lies after the last piece is that chunk only if it came with the same
/// read, for the memory still holds what was read before; libmicrohttpd reads once in each pass of the
/// loop. And it is there only while the piece is given: what follows the body is then moved over it. So
/// the walk looks at it with each piece, and believes it if the body ends in the same pass.
///
/// Where a part of the framing came alone, it has been overwritten by the time that the next piece is
/// given. Then the walk is *blind*: the connection ends with the reply, so that nothing after this
/// body is ever taken for a request.
struct ChunkWalk {
    enum Verdict: Equatable {
        case sound
        /// Two parsers could disagree.
        case malformed
    }

    /// Where libmicrohttpd keeps what follows the header.
    private let bodyStart: UnsafeRawPointer
    /// Of the connection's memory.
    private let memoryBytes: Int
    /// Where the last piece ended.
    private var pieceEnd: UnsafeRawPointer?
    /// When the pass of the loop began that gave the last piece.
    private var piecePass = MonotonicTime(nanoseconds: 0)
    /// Of the chunk at hand, still to come.
    private var remaining = 0
    private(set) var isBlind = false
    /// The last chunk, if it lay after the last piece, and that piece ended its chunk.
    private var ending = ChunkFraming.LastChunk.absent

    init(bodyStart: UnsafeRawPointer, memoryBytes: Int) {
        self.bodyStart = bodyStart
        self.memoryBytes = memoryBytes
    }

    /// The next piece of the body.
    /// - Parameter pass: when this pass of the loop began.
    mutating func piece(_ bytes: UnsafeRawBufferPointer, pass: MonotonicTime) -> Verdict {
        guard !isBlind, let start = bytes.baseAddress else { return .sound }
        piecePass = pass
        let end = start + bytes.count
        defer {
            pieceEnd = end
            ending = remaining == 0 && !isBlind ? lastChunk(at: end) : .absent
        }
        guard remaining == 0 else {
            remaining -= bytes.count
            if remaining < 0 { isBlind = true }
            return .sound
        }
        guard (1...memoryBytes).contains(start - bodyStart) else {
            isBlind = true
            return .sound
        }
        guard let size = size(ofFramingBefore: start), size >= bytes.count else {
            return .malformed
        }
        remaining = size - bytes.count
        return .sound
    }

    /// - Returns: nil if the framing is not of the grammar.
    private mutating func size(ofFramingBefore start: UnsafeRawPointer) -> Int? {
        let whole = UnsafeRawBufferPointer(start: bodyStart, count: start - bodyStart)
        guard let pieceEnd else { return ChunkFraming.size(ofLine: whole) }
        if pieceEnd < start {
            let gap = UnsafeRawBufferPointer(start: pieceEnd, count: start - pieceEnd)
            if let size = ChunkFraming.size(ofGap: gap) { return size }
        }
        if let size = ChunkFraming.size(ofGap: whole) { return size }
        guard let size = ChunkFraming.size(ofLine: whole) else { return nil }
        // The end of the chunk before came alone.
        isBlind = true
        return size
    }

    /// The body is whole.
    /// - Parameter pass: when this pass of the loop began.
    mutating func finish(pass: MonotonicTime) -> Verdict {
        guard !isBlind else { return .sound }
        switch pass == piecePass ? ending : .absent {
        case .strict: return .sound
        case .lax: return .malformed
        case .absent:
            isBlind = true
            return .sound
        }
    }

    private func lastChunk(at place: UnsafeRawPointer) -> ChunkFraming.LastChunk {
        let rest = memoryBytes - (place - bodyStart)
        return ChunkFraming.lastChunk(
            UnsafeRawBufferPointer(
                start: place, count: max(0, min(rest, ChunkWalk.lastChunkBytes))))
    }

    /// A longer last chunk, with an extension, is not looked at.
    private static let lastChunkBytes = 256
}

/// The grammar of RFC 9112, section 7.1.
enum ChunkFraming {
    enum LastChunk { case strict, lax, absent }

    /// Whether `text` begins with the end of a chunk and a chunk of size zero.
    static func lastChunk(_ text: UnsafeRawBufferPointer) -> LastChunk {
        let zero = UInt8(ascii: "0")
        guard text.count > 2,
            text[0] == 0x0A && text[1] == zero || text[1] == 0x0A && text[2] == zero
        else { return .absent }
        let ends = text.indices.filter { text[$0] == 0x0A }
        guard ends.count >= 2 else { return .absent }
        let gap = UnsafeRawBufferPointer(rebasing: text[...ends[1]])
        return size(ofGap: gap) == 0 ? .strict : .lax
    }

    /// The size that follows the end of a chunk; nil if either is not of the grammar.
    static func size(ofGap gap: UnsafeRawBufferPointer) -> Int? {
        guard gap.count >= 2, gap[0] == 0x0D, gap[1] == 0x0A else { return nil }
        return size(ofLine: UnsafeRawBufferPointer(rebasing: gap[2...]))
    }

    /// The size that a whole line says, CR LF included, extensions checked; nil if it is not of the
    /// grammar.
    static func size(ofLine line: UnsafeRawBufferPointer) -> Int? {
        guard line.count >= 3, line[line.count - 2] == 0x0D, line[line.count - 1] == 0x0A else {
            return nil
        }
        let text = line[..<(line.count - 2)]
        let digits = text.prefix { hexValue($0) != nil }
        guard (1...15).contains(digits.count),
            isExtensions(UnsafeRawBufferPointer(rebasing: text[digits.endIndex...]))
        else { return nil }
        return digits.reduce(0) { $0 << 4 | (hexValue($1) ?? 0) }
    }

    /// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`
    static func isExtensions(_ text: UnsafeRawBufferPointer) -> Bool {
        var rest = text[...]
        while !rest.isEmpty {
            skipSpace(&rest)
            guard take(UInt8(ascii: ";"), &rest) else { return false }
            skipSpace(&rest)
            guard takeToken(&rest) else { return false }
            let afterName = rest
            skipSpace(&rest)
            guard take(UInt8(ascii: "="), &rest) else {
                rest = afterName
                continue
            }
            skipSpace(&rest)
            guard takeQuoted(&rest) || takeToken(&rest) else { return false }
        }
        return true
    }

    private typealias Rest = Slice<UnsafeRawBufferPointer>

    private static func skipSpace(_ rest: inout Rest) {
        rest = rest.drop { $0 == 0x20 || $0 == 0x09 }
    }

    private static func take(_ byte: UInt8, _ rest: inout Rest) -> Bool {
        guard rest.first == byte else { return false }
        rest = rest.dropFirst()
        return true
    }

    private static func takeToken(_ rest: inout Rest) -> Bool {
        let token = rest.prefix(while: RequestGuard.isOfToken)
        rest = rest[token.endIndex...]
        return !token.isEmpty
    }

    /// RFC 9110, section 5.6.4.
    private static func takeQuoted(_ text: inout Rest) -> Bool {
        var rest = text
        guard take(0x22, &rest) else { return false }
        while let byte = rest.popFirst() {
            switch byte {
            case 0x22:
                text = rest
                return true
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst(), isText(escaped) else { return false }
            default: guard isText(byte) else { return false }
            }
        }
        return false
    }

    private static func isText(_ byte: UInt8) -> Bool {
        byte == 0x09 || (byte >= 0x20 && byte != 0x7F)
    }

    private static func hexValue(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x30...0x39: Int(byte) - 0x30
        case 0x41...0x46: Int(byte) - 0x41 + 10
        case 0x61...0x66: Int(byte) - 0x61 + 10
        default: nil
        }
    }
}
