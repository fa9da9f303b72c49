import Primitives

extension EventDecoder {
    /// An array of events. Its elements are found by a scan that minds only strings and brackets,
    /// and each is parsed by itself where it lies: parsing 64 MiB at once would take simdjson
    /// 880 MB. Between elements the grammar is checked here.
    func decodeArray(
        _ body: inout Body, from start: Int, _ onRejected: (RejectedEvent) -> Void
    ) throws(BodyError) {
        var next = skipSpace(body, from: start + 1)
        if byte(body, next) == UInt8(ascii: "]") { return try checkEnd(body, from: next + 1) }
        while true {
            try checkCount(body)
            next = try decodeElement(&body, at: next, onRejected)
            next = skipSpace(body, from: next)
            switch byte(body, next) {
            case UInt8(ascii: ","): next = skipSpace(body, from: next + 1)
            case UInt8(ascii: "]"): return try checkEnd(body, from: next + 1)
            default: throw BodyError(reason: .invalidJSON, offset: next)
            }
        }
    }

    /// - Returns: the offset behind the element.
    private func decodeElement(
        _ body: inout Body, at offset: Int, _ onRejected: (RejectedEvent) -> Void
    ) throws(BodyError) -> Int {
        let rest = UnsafeRawBufferPointer(rebasing: body.bytes[offset...])
        guard let length = JSONScan.valueLength(rest) else {
            throw error(.invalidJSON, rest, at: offset)
        }
        let text = UnsafeRawBufferPointer(rebasing: rest[..<length])
        if let fault = take(text, &body) {
            if fault.isNotJSON { throw error(fault, text, at: offset) }
            reject(text, fault, &body, onRejected)
        }
        return offset + length
    }

    private func checkEnd(_ body: Body, from offset: Int) throws(BodyError) {
        let end = skipSpace(body, from: offset)
        guard end == body.bytes.count else {
            throw BodyError(reason: .trailingContent, offset: end)
        }
    }

    private func skipSpace(_ body: Body, from offset: Int) -> Int {
        JSONScan.skipSpace(body.bytes, from: offset)
    }

    private func byte(_ body: Body, _ offset: Int) -> UInt8? {
        offset < body.bytes.count ? body.bytes[offset] : nil
    }
}
