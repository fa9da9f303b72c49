import Primitives

extension EventDecoder {
    /// Newline-delimited JSON. A line that is no JSON is one bad event, since the lines around it
    /// are found all the same; if there is no JSON at all, it is a body of something else.
    func decodeLines(
        _ body: inout Body, from start: Int, _ onRejected: (RejectedEvent) -> Void
    ) throws(BodyError) {
        var next = start
        // Blank lines before the first event have been passed over.
        var line = body.bytes[..<start].count { $0 == UInt8(ascii: "\n") }
        var hasJSON = false
        var firstFault: (fault: EventFault, text: UnsafeRawBufferPointer, offset: Int)?
        while next < body.bytes.count {
            let end = JSONScan.lineEnd(body.bytes, from: next)
            let text = eventText(body.bytes, next..<end)
            next = end + 1
            line += 1
            guard !text.isEmpty else { continue }
            try checkCount(body)
            guard let fault = take(text, &body) else {
                hasJSON = true
                continue
            }
            hasJSON = hasJSON || !fault.isNotJSON
            body.line = line
            if firstFault == nil {
                firstFault = (fault, text, offset(of: text, in: body.bytes))
            }
            reject(text, fault, &body, onRejected)
        }
        if body.count == 0 { throw BodyError(.emptyBody) }
        if !hasJSON, let firstFault {
            throw error(firstFault.fault, firstFault.text, at: firstFault.offset, isLines: true)
        }
    }

    /// A line without white space around it. It may begin with a byte order mark, as the files do
    /// that somebody has joined.
    private func eventText(
        _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>
    ) -> UnsafeRawBufferPointer {
        let text = JSONScan.trim(bytes, line)
        let plain = JSONScan.withoutByteOrderMark(text)
        return plain.count == text.count ? text : JSONScan.trim(plain, 0..<plain.count)
    }

    private func offset(
        of text: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer
    ) -> Int {
        guard let start = text.baseAddress, let base = bytes.baseAddress else { return 0 }
        return start - base
    }
}
