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
    /// The resource and the scope that the next record can share.
    private var shared = Shared()

    private struct Shared {
        /// Of the record before; 0: it cannot be shared.
        var resourceNumber: UInt64 = 0
        var scopeNumber: UInt64 = 0
        var isResourceMasked = false
        var isScopeMasked = false
        /// The resource that is written has not been left out for a record that was too long.
        var hasResource = false
    }

    package init(_ masker: Masker, _ limits: LogLimits = LogLimits()) {
        self.masker = masker
        self.limits = limits
    }

    /// Records since the last `finish`.
    package var count: Int { batch.count }
    /// Bytes of the records if each had its own resource and scope.
    package var expandedBytes: Int { batch.expandedBytes }

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
        let isSameScope = maskScope(of: &record, &isMasked)
        let isSameResource = maskResource(of: &record, &isMasked)
        let bytes = clean.span
        record.severityText = UnsafeRawBufferPointer(rebasing: bytes[text])
        record.eventName = UnsafeRawBufferPointer(rebasing: bytes[event])
        record.body = UnsafeRawBufferPointer(rebasing: bytes[body])
        record.attributes = UnsafeRawBufferPointer(rebasing: bytes[attributes])
        if isMasked { record.flags.insert(.masked) }
        let resourceBytes = record.resource.count
        LogCut.apply(to: &record, limitBytes: limits.recordBytes)
        let sharesResource = isSameResource && (shared.hasResource || record.resource.isEmpty)
        batch.append(record, sharesResource: sharesResource, sharesScope: isSameScope)
        if !sharesResource { shared.hasResource = record.resource.count == resourceBytes }
        clean.removeAll()
        clean.shrink(above: LogBatchWriter.keptBytes)
    }

    /// The batch so far; a fresh one takes its place.
    package func finish() -> LogBatch {
        resource.shrink()
        scopeName.shrink()
        scopeVersion.shrink()
        service.shrink()
        shared = Shared()
        defer { batch = LogBatch(capacity: min(batch.byteCount + 64, 1 << 20)) }
        return batch
    }

    /// Forgets what was appended since the last `finish`.
    package func discard() {
        batch = LogBatch()
        shared = Shared()
    }

    /// - Returns: whether service and resource are those of the record before.
    private func maskResource(of record: inout LogRecord, _ isMasked: inout Bool) -> Bool {
        let number = record.resourceNumber
        let isSame = number != 0 && number == shared.resourceNumber
        if isSame {
            record.service = service.last(of: record.service)
            record.resource = resource.last(of: record.resource)
        } else {
            var isChanged = false
            record.service = service.of(
                record.service, masker, at: "service", limitBytes: LogLimits.nameBytes, &isChanged)
            record.resource = resource.of(
                record.resource, masker, at: "resource", limitBytes: .max, &isChanged)
            shared.resourceNumber = number
            shared.isResourceMasked = isChanged
        }
        if shared.isResourceMasked { isMasked = true }
        return isSame
    }

    /// - Returns: whether the scope is that of the record before.
    private func maskScope(of record: inout LogRecord, _ isMasked: inout Bool) -> Bool {
        let number = record.scopeNumber
        let isSame = number != 0 && number == shared.scopeNumber
        if isSame {
            record.scopeName = scopeName.last(of: record.scopeName)
            record.scopeVersion = scopeVersion.last(of: record.scopeVersion)
        } else {
            var isChanged = false
            record.scopeName = scopeName.of(
                record.scopeName, masker, at: "scope.name", limitBytes: LogLimits.nameBytes,
                &isChanged)
            record.scopeVersion = scopeVersion.of(
                record.scopeVersion, masker, at: "scope.version", limitBytes: LogLimits.nameBytes,
                &isChanged)
            shared.scopeNumber = number
            shared.isScopeMasked = isChanged
        }
        if shared.isScopeMasked { isMasked = true }
        return isSame
    }

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

    /// What `of` made of the same bytes before.
    func last(of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        bytes.isEmpty ? LogRecord.none : masked.span
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
