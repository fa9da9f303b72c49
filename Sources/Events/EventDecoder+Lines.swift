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
            let first = JSONScan.skipSpace(
                UnsafeRawBufferPointer(rebasing: body.bytes[..<end]), from: next)
            next = end + 1
            line += 1
            guard first < end else { continue }
            try checkCount(body)
            let text = JSONScan.trim(body.bytes, first..<end)
            guard let fault = take(text, &body) else {
                hasJSON = true
                continue
            }
            hasJSON = hasJSON || !fault.isNotJSON
            body.line = line
            if firstFault == nil { firstFault = (fault, text, first) }
            reject(text, fault, &body, onRejected)
        }
        if !hasJSON, let firstFault {
            throw error(firstFault.fault, firstFault.text, at: firstFault.offset)
        }
    }
}
