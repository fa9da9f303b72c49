import Primitives

/// Reads bodies of `POST /logs` into a writer: one record, an array of them, or one a line.
///
/// Not thread-safe: each thread has its own.
package final class LogDecoder {
    /// What a body is written in.
    package enum Format: Sendable {
        /// One record, or an array of them.
        case json
        /// One record a line; blank lines do not count.
        case ndjson
    }

    /// One body on its way.
    private struct Body {
        let bytes: UnsafeRawBufferPointer
        let now: Int64
        /// Records seen so far, refused ones included: the next one's index.
        var count = 0
        var line: Int?
        var rejected = 0
        /// Something was JSON, taken or not.
        var hasJSON = false
        var firstFault: LogBodyError?
    }

    private let limits: LogLimits
    private let writer: LogBatchWriter
    private var reader: LogReader

    package init(_ writer: LogBatchWriter, _ limits: LogLimits) {
        self.writer = writer
        self.limits = limits
        reader = LogReader(maxDepth: limits.jsonDepth)
    }

    /// Reads the records of `bytes` into a batch, and tells of each refused one.
    /// - Parameters:
    ///   - bytes: at least `ByteBuffer.padding` bytes behind them must be readable.
    ///   - now: milliseconds since 1970.
    ///   - onRejected: called in order; what it was told is void if this throws.
    /// - Throws: `LogBodyError`, with nothing taken. O(n), whatever the body holds.
    package func decode(
        _ bytes: UnsafeRawBufferPointer, as format: Format, now: Int64,
        onRejected: (RejectedLog) -> Void
    ) throws(LogBodyError) -> LogBatch {
        var body = Body(bytes: bytes, now: now)
        let mark = bytes.count - JSONScan.withoutByteOrderMark(bytes).count
        let start = JSONScan.skipSpace(bytes, from: mark)
        guard start < bytes.count else { throw LogBodyError(reason: .emptyBody) }
        do throws(LogBodyError) {
            if case .ndjson = format {
                try decodeLines(&body, from: start, onRejected)
            } else if bytes[start] == UInt8(ascii: "[") {
                try decodeArray(&body, from: start, onRejected)
            } else {
                try checkCount(body)
                take(JSONScan.trim(bytes, start..<bytes.count), &body, onRejected)
            }
            if !body.hasJSON, let fault = body.firstFault { throw fault }
        } catch {
            writer.discard()
            throw error
        }
        return writer.finish()
    }

    private func decodeLines(
        _ body: inout Body, from start: Int, _ onRejected: (RejectedLog) -> Void
    ) throws(LogBodyError) {
        var next = start
        // Blank lines before the first record have been passed over.
        var line = body.bytes[..<start].count { $0 == UInt8(ascii: "\n") }
        while next < body.bytes.count {
            let end = JSONScan.lineEnd(body.bytes, from: next)
            let text = LogDecoder.text(body.bytes, next..<end)
            next = end + 1
            line += 1
            guard !text.isEmpty else { continue }
            try checkCount(body)
            body.line = line
            take(text, &body, onRejected)
        }
    }

    /// A line without white space around it. It may begin with a byte order mark, as the files do
    /// that somebody has joined.
    private static func text(
        _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>
    ) -> UnsafeRawBufferPointer {
        let text = JSONScan.trim(bytes, line)
        let plain = JSONScan.withoutByteOrderMark(text)
        return plain.count == text.count ? text : JSONScan.trim(plain, 0..<plain.count)
    }

    /// Elements are found by a scan that minds only strings and brackets, and each is parsed by
    /// itself where it lies: parsing 64 MiB at once would take simdjson 880 MB.
    private func decodeArray(
        _ body: inout Body, from start: Int, _ onRejected: (RejectedLog) -> Void
    ) throws(LogBodyError) {
        let bytes = body.bytes
        var next = JSONScan.skipSpace(bytes, from: start + 1)
        if next < bytes.count, bytes[next] == UInt8(ascii: "]") {
            body.hasJSON = true
            return try checkEnd(bytes, from: next + 1)
        }
        while true {
            try checkCount(body)
            let rest = UnsafeRawBufferPointer(rebasing: bytes[min(next, bytes.count)...])
            guard let length = JSONScan.valueLength(rest) else {
                throw LogBodyError(reason: .invalidJSON, offset: next)
            }
            let fault = take(UnsafeRawBufferPointer(rebasing: rest[..<length]), &body, onRejected)
            // A line's end is certain, an element's is not once it is no JSON.
            if fault == .invalidJSON || fault == .trailingContent, let error = body.firstFault {
                throw error
            }
            next = JSONScan.skipSpace(bytes, from: next + length)
            guard next < bytes.count else {
                throw LogBodyError(reason: .invalidJSON, offset: next)
            }
            switch bytes[next] {
            case UInt8(ascii: ","): next = JSONScan.skipSpace(bytes, from: next + 1)
            case UInt8(ascii: "]"): return try checkEnd(bytes, from: next + 1)
            default: throw LogBodyError(reason: .invalidJSON, offset: next)
            }
        }
    }

    private func checkEnd(_ bytes: UnsafeRawBufferPointer, from offset: Int) throws(LogBodyError) {
        let end = JSONScan.skipSpace(bytes, from: offset)
        guard end == bytes.count else { throw LogBodyError(reason: .trailingContent, offset: end) }
    }

    private func checkCount(_ body: Body) throws(LogBodyError) {
        guard body.count < limits.recordsPerBatch else {
            throw LogBodyError(reason: .tooManyRecords, limit: limits.recordsPerBatch)
        }
    }

    /// Takes one record or tells of it.
    @discardableResult
    private func take(
        _ text: UnsafeRawBufferPointer, _ body: inout Body, _ onRejected: (RejectedLog) -> Void
    ) -> LogFault? {
        defer { body.count += 1 }
        do throws(LogFault) {
            writer.append(try reader.read(text, now: body.now))
            body.hasJSON = true
            return nil
        } catch {
            if !error.isNotJSON {
                body.hasJSON = true
            } else if body.firstFault == nil {
                body.firstFault = LogDecoder.bodyError(error, text, in: body.bytes)
            }
            body.rejected += 1
            onRejected(RejectedLog(index: body.count, fault: error, line: body.line))
            return error
        }
    }

    /// For a body in which nothing is JSON: with the offset of the first fault.
    private static func bodyError(
        _ fault: LogFault, _ text: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer
    ) -> LogBodyError {
        var start = 0
        if let first = text.baseAddress, let base = bytes.baseAddress { start = first - base }
        if fault == .invalidUTF8 {
            let offset = JSONSyntax.utf8ErrorOffset(in: text) ?? 0
            return LogBodyError(reason: .invalidUTF8, offset: start + offset)
        }
        let syntax = JSONSyntax.fault(in: text, allowsLoneSurrogates: true)
        return LogBodyError(
            reason: fault == .trailingContent ? .trailingContent : .invalidJSON,
            offset: start + (syntax?.offset ?? 0))
    }
}
