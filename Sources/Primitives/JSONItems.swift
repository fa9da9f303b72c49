/// Finds the items of a body: one JSON text, an array of them, or one a line.
///
///     var items = JSONItems<EventFault>(body, limit: 10_000)
///     let start = try items.start()
///     try items.readLines(from: start) { text, line in … }
///
/// Each item is given to the caller where it lies, and the caller parses it. An item that is refused
/// for anything but its JSON leaves the others as they are. One that is no JSON is refused alone
/// where its end is certain: a line, and an element of an array that is wrong in its UTF-8 alone. A
/// body without a single item that is JSON is a body of something else, and is refused as a whole.
package struct JSONItems<Fault: ItemFault> {
    /// Parses an item and counts it, or tells of it.
    /// - Parameter line: of the body, from 1; nil where an item need not be a line.
    /// - Returns: why it was refused; nil if it was accepted.
    package typealias Read = (_ text: UnsafeRawBufferPointer, _ line: Int?) -> Fault?

    private let bytes: UnsafeRawBufferPointer
    private let limit: Int
    private var count = 0
    /// Something was JSON, accepted or not.
    private var hasJSON = false
    private var firstError: BodyError?

    /// - Parameters:
    ///   - bytes: at least `ByteBuffer.padding` bytes behind them must be readable.
    ///   - limit: of the items, refused ones included.
    package init(_ bytes: UnsafeRawBufferPointer, limit: Int) {
        self.bytes = bytes
        self.limit = limit
    }

    /// Where the first item begins, or the array of them: after a byte order mark and white space.
    package func start() throws(BodyError) -> Int {
        let mark = bytes.count - JSONScan.withoutByteOrderMark(bytes).count
        let start = JSONScan.skipSpace(bytes, from: mark)
        guard start < bytes.count else { throw BodyError(.emptyBody, of: Fault.item) }
        return start
    }

    /// The body from `start` on is one item.
    package mutating func readOne(from start: Int, _ read: Read) throws(BodyError) {
        _ = try readItem(JSONScan.trim(bytes, start..<bytes.count), nil, read)
        try checkJSON()
    }

    /// Newline-delimited JSON; blank lines do not count.
    package mutating func readLines(from start: Int, _ read: Read) throws(BodyError) {
        var next = start
        // Blank lines before the first item have been passed over.
        var line = bytes[..<start].count { $0 == UInt8(ascii: "\n") }
        while next < bytes.count {
            let end = JSONScan.lineEnd(bytes, from: next)
            let text = text(ofLine: next..<end)
            next = end + 1
            line += 1
            if !text.isEmpty { _ = try readItem(text, line, read) }
        }
        if count == 0 { throw BodyError(.emptyBody, of: Fault.item) }
        try checkJSON()
    }

    /// An array of items. Its elements are found by a scan that minds only strings and brackets, and
    /// each is parsed by itself where it lies: parsing 64 MiB at once would take simdjson 880 MB.
    /// Between elements the grammar is checked here.
    package mutating func readArray(from start: Int, _ read: Read) throws(BodyError) {
        var next = JSONScan.skipSpace(bytes, from: start + 1)
        if byte(next) == UInt8(ascii: "]") { return try checkEnd(from: next + 1) }
        while true {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[min(next, bytes.count)...])
            guard let length = JSONScan.valueLength(rest) else {
                try checkCount()
                throw error(.invalidJSON, rest)
            }
            try readElement(UnsafeRawBufferPointer(rebasing: rest[..<length]), read)
            next = JSONScan.skipSpace(bytes, from: next + length)
            switch byte(next) {
            case UInt8(ascii: ","): next = JSONScan.skipSpace(bytes, from: next + 1)
            case UInt8(ascii: "]"):
                try checkEnd(from: next + 1)
                return try checkJSON()
            default: throw BodyError(.invalidJSON, of: Fault.item, offset: next)
            }
        }
    }

    private mutating func readElement(
        _ text: UnsafeRawBufferPointer, _ read: Read
    ) throws(BodyError) {
        guard let fault = try readItem(text, nil, read), fault.isNotJSON else { return }
        // Its bytes may be no JSON either, and then neither is the body.
        guard fault == .invalidUTF8,
            JSONSyntax.fault(in: text, allowsLoneSurrogates: true) == nil
        else { throw error(fault, text) }
    }

    private mutating func readItem(
        _ text: UnsafeRawBufferPointer, _ line: Int?, _ read: Read
    ) throws(BodyError) -> Fault? {
        try checkCount()
        count += 1
        guard let fault = read(text, line) else {
            hasJSON = true
            return nil
        }
        if !fault.isNotJSON {
            hasJSON = true
        } else if !hasJSON, firstError == nil {
            firstError = error(fault, text, isLines: line != nil)
        }
        return fault
    }

    private func checkCount() throws(BodyError) {
        guard count < limit else {
            throw BodyError(.tooManyItems, of: Fault.item, limit: limit)
        }
    }

    private func checkJSON() throws(BodyError) {
        if !hasJSON, let firstError { throw firstError }
    }

    private func checkEnd(from offset: Int) throws(BodyError) {
        let end = JSONScan.skipSpace(bytes, from: offset)
        guard end == bytes.count else {
            throw BodyError(.trailingContent, of: Fault.item, offset: end)
        }
    }

    /// A body's error for `text`, a part of it that is no JSON: with the offset of the fault in it.
    package func error(
        _ fault: Fault, _ text: UnsafeRawBufferPointer, isLines: Bool = false
    ) -> BodyError {
        var start = 0
        if let first = text.baseAddress, let base = bytes.baseAddress { start = first - base }
        guard fault != .invalidUTF8 else {
            let offset = JSONSyntax.utf8ErrorOffset(in: text) ?? 0
            return BodyError(.invalidUTF8, of: Fault.item, offset: start + offset)
        }
        let syntax = JSONSyntax.fault(in: text, allowsLoneSurrogates: true)
        return BodyError(
            fault == .trailingContent ? .trailingContent : .invalidJSON, of: Fault.item,
            offset: start + (syntax?.offset ?? 0), isLines: isLines)
    }

    private func byte(_ offset: Int) -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

    /// A line without white space around it. It may begin with a byte order mark, as the files do
    /// that somebody has joined.
    private func text(ofLine line: Range<Int>) -> UnsafeRawBufferPointer {
        let text = JSONScan.trim(bytes, line)
        let plain = JSONScan.withoutByteOrderMark(text)
        return plain.count == text.count ? text : JSONScan.trim(plain, 0..<plain.count)
    }
}
