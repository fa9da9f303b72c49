import Masking
import Primitives

/// The one way into a batch: masks each record, cuts what is too long, and appends it.
///
///     let writer = LogBatchWriter(masker, limits)
///     writer.append(record)          // … for each record of a body
///     intake.submit(writer.finish())
///
/// Not thread-safe: each thread has its own, which keeps its memory.
package final class LogBatchWriter {
    /// Kept of the memory for masked fields.
    fileprivate static let keptBytes = 1 << 20

    private let masker: Masker
    private let limits: LogLimits
    private var batch = LogBatch()
    /// Masked fields of the record at hand.
    private var clean = ByteBuffer(capacity: 4096)
    private var resource = MaskedField()
    private var scopeName = MaskedField()
    private var scopeVersion = MaskedField()
    private var service = MaskedField()

    package init(_ masker: Masker, _ limits: LogLimits = LogLimits()) {
        self.masker = masker
        self.limits = limits
    }

    /// Records since the last `finish`.
    package var count: Int { batch.count }

    /// Masks a record and appends it. Its bytes are copied.
    ///
    /// Masking comes before cutting: half a card number is not found any more.
    package func append(_ record: LogRecord) {
        var record = record
        clean.removeAll()
        var isMasked = false
        // Offsets, since the memory may move while it grows.
        let text = maskName(record.severityText, at: "severity_text", &isMasked)
        let event = maskName(record.eventName, at: "event_name", &isMasked)
        let body = mask(record.body, at: "message", &isMasked)
        if record.flags.contains(.jsonBody) { clean.joinLines(from: body.lowerBound) }
        let attributes = mask(record.attributes, at: "attributes", &isMasked)
        clean.joinLines(from: attributes.lowerBound)
        record.service = service.of(
            record.service, masker, at: "service", limitBytes: LogLimits.nameBytes, &isMasked)
        record.scopeName = scopeName.of(
            record.scopeName, masker, at: "scope.name", limitBytes: LogLimits.nameBytes, &isMasked)
        record.scopeVersion = scopeVersion.of(
            record.scopeVersion, masker, at: "scope.version", limitBytes: LogLimits.nameBytes,
            &isMasked)
        record.resource = resource.of(
            record.resource, masker, at: "resource", limitBytes: .max, &isMasked)
        let bytes = clean.span
        record.severityText = UnsafeRawBufferPointer(rebasing: bytes[text])
        record.eventName = UnsafeRawBufferPointer(rebasing: bytes[event])
        record.body = UnsafeRawBufferPointer(rebasing: bytes[body])
        record.attributes = UnsafeRawBufferPointer(rebasing: bytes[attributes])
        if isMasked { record.flags.insert(.masked) }
        LogCut.apply(to: &record, limitBytes: limits.recordBytes)
        batch.append(record)
        clean.removeAll()
        clean.shrink(above: LogBatchWriter.keptBytes)
    }

    /// The batch so far; a fresh one takes its place.
    package func finish() -> LogBatch {
        resource.shrink()
        scopeName.shrink()
        scopeVersion.shrink()
        service.shrink()
        defer { batch = LogBatch(capacity: min(batch.byteCount + 64, 1 << 20)) }
        return batch
    }

    /// Forgets what was appended since the last `finish`.
    package func discard() { batch = LogBatch() }

    /// - Parameter path: what `GET /logs` calls the field, for rules that hold at some paths alone.
    private func mask(
        _ bytes: UnsafeRawBufferPointer, at path: String, _ isMasked: inout Bool
    ) -> Range<Int> {
        let start = clean.count
        if !bytes.isEmpty, masker.mask(bytes, as: .line, at: path, into: &clean) {
            isMasked = true
        }
        return start..<clean.count
    }

    private func maskName(
        _ bytes: UnsafeRawBufferPointer, at path: String, _ isMasked: inout Bool
    ) -> Range<Int> {
        let range = mask(bytes, at: path, &isMasked)
        guard range.count > LogLimits.nameBytes else { return range }
        let end =
            range.lowerBound + LogCut.length(of: clean.span[range], atMost: LogLimits.nameBytes)
        clean.truncate(to: end)
        return range.lowerBound..<end
    }
}

/// A field that is the same for many records in a row: masked once, compared after that.
private struct MaskedField: ~Copyable {
    private var raw = ByteBuffer(capacity: 64)
    private var masked = ByteBuffer(capacity: 64)
    private var isChanged = false
    private static let keptBytes = 64 << 10

    /// Gives back the memory of a long one.
    mutating func shrink() {
        guard raw.capacity > MaskedField.keptBytes || masked.capacity > MaskedField.keptBytes
        else { return }
        raw.removeAll()
        masked.removeAll()
        raw.shrink(above: MaskedField.keptBytes)
        masked.shrink(above: MaskedField.keptBytes)
    }

    mutating func of(
        _ bytes: UnsafeRawBufferPointer, _ masker: Masker, at path: String, limitBytes: Int,
        _ isMasked: inout Bool
    ) -> UnsafeRawBufferPointer {
        guard !bytes.isEmpty else { return LogRecord.none }
        if !raw.span.elementsEqual(bytes) {
            raw.removeAll()
            raw.append(bytes)
            masked.removeAll()
            isChanged = masker.mask(bytes, as: .line, at: path, into: &masked)
            masked.joinLines(from: 0)
            if masked.count > limitBytes {
                masked.truncate(to: LogCut.length(of: masked.span[...], atMost: limitBytes))
            }
        }
        if isChanged { isMasked = true }
        return masked.span
    }
}
