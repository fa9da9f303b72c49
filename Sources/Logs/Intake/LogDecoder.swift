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

    private let limits: LogLimits
    private let writer: LogBatchWriter
    private var reader: LogReader

    package init(_ writer: LogBatchWriter, _ limits: LogLimits) {
        self.writer = writer
        self.limits = limits
        reader = LogReader(limits)
    }

    /// Reads the records of `bytes` into a batch, and tells of each refused one.
    /// - Parameters:
    ///   - bytes: at least `ByteBuffer.padding` bytes behind them must be readable.
    ///   - now: milliseconds since 1970.
    ///   - onRejected: called in order; what it was told is void if this throws.
    /// - Throws: `BodyError`, with nothing taken. O(n), whatever the body holds.
    package func decode(
        _ bytes: UnsafeRawBufferPointer, as format: Format, now: Int64,
        onRejected: (RejectedLog) -> Void
    ) throws(BodyError) -> LogBatch {
        defer { reader.shrink() }
        do throws(BodyError) {
            try read(bytes, format, now, onRejected)
        } catch {
            writer.discard()
            throw error
        }
        return writer.finish()
    }

    private func read(
        _ bytes: UnsafeRawBufferPointer, _ format: Format, _ now: Int64,
        _ onRejected: (RejectedLog) -> Void
    ) throws(BodyError) {
        var items = JSONItems<LogFault>(bytes, limit: limits.recordsPerBatch)
        let start = try items.start()
        var count = 0
        func read(_ text: UnsafeRawBufferPointer, _ line: Int?) -> LogFault? {
            defer { count += 1 }
            do throws(LogFault) {
                writer.append(try reader.read(text, now: now))
                return nil
            } catch {
                onRejected(RejectedLog(index: count, fault: error, line: line))
                return error
            }
        }
        switch format {
        case .ndjson: try items.readLines(from: start, read)
        case .json where bytes[start] == UInt8(ascii: "["):
            try items.readArray(from: start, read)
        case .json: try items.readOne(from: start, read)
        }
    }
}
