import Primitives

extension EventDecoder {
    /// An array of events. Its elements are found by a scan that minds only strings and brackets,
    /// and each is parsed by itself where it lies: parsing 64 MiB at once would take simdjson
    /// 880 MB. Between elements the grammar is checked here. An element that is JSON but for bytes
    /// that are no UTF-8 is one bad event, as a line of that kind is: where it ends is certain.
    func decodeArray(
        _ body: inout Body, from start: Int, _ onRejected: (RejectedEvent) -> Void
    ) throws(BodyError) {
        var next = skipSpace(body, from: start + 1)
        if byte(body, next) == UInt8(ascii: "]") { return try checkEnd(body, from: next + 1) }
        var isUTF8 = false
        var firstFault: BodyError?
        while true {
            try checkCount(body)
            next = try decodeElement(&body, at: next, &isUTF8, &firstFault, onRejected)
            next = skipSpace(body, from: next)
            switch byte(body, next) {
            case UInt8(ascii: ","): next = skipSpace(body, from: next + 1)
            case UInt8(ascii: "]"):
                try checkEnd(body, from: next + 1)
                if !isUTF8, let firstFault { throw firstFault }
                return
            default: throw BodyError(.invalidJSON, offset: next)
            }
        }
    }

    /// - Parameters:
    ///   - isUTF8: set where the element is, or is refused for something else.
    ///   - firstFault: of the elements that are not.
    /// - Returns: the offset after the element.
    private func decodeElement(
        _ body: inout Body, at offset: Int, _ isUTF8: inout Bool, _ firstFault: inout BodyError?,
        _ onRejected: (RejectedEvent) -> Void
    ) throws(BodyError) -> Int {
        let rest = UnsafeRawBufferPointer(rebasing: body.bytes[offset...])
        guard let length = JSONScan.valueLength(rest) else {
            throw error(.invalidJSON, rest, at: offset)
        }
        let text = UnsafeRawBufferPointer(rebasing: rest[..<length])
        guard let fault = take(text, &body) else {
            isUTF8 = true
            return offset + length
        }
        if fault.isNotJSON {
            let error = error(fault, text, at: offset)
            guard fault == .invalidUTF8 else { throw error }
            // Its bytes may be no JSON either, and then neither is the body.
            let syntax = JSONSyntax.fault(in: text, allowsLoneSurrogates: true)
            guard syntax == nil else { throw error }
            firstFault = firstFault ?? error
        } else {
            isUTF8 = true
        }
        reject(text, fault, &body, onRejected)
        return offset + length
    }

    private func checkEnd(_ body: Body, from offset: Int) throws(BodyError) {
        let end = skipSpace(body, from: offset)
        guard end == body.bytes.count else {
            throw BodyError(.trailingContent, offset: end)
        }
    }

    private func skipSpace(_ body: Body, from offset: Int) -> Int {
        JSONScan.skipSpace(body.bytes, from: offset)
    }

    private func byte(_ body: Body, _ offset: Int) -> UInt8? {
        offset < body.bytes.count ? body.bytes[offset] : nil
    }
}
