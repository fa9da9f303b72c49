import Primitives
import Storage

/// A record's payload does not hold what `EventCodec` writes. Its checksum held, so this is a
/// record of another version or a mistake of ours, not a disk's.
package struct CorruptPayload: Error, Equatable, Sendable {
    /// Where in the payload the unreadable event begins.
    package let offset: Int

    package init(offset: Int) { self.offset = offset }
}

/// The events of one record's payload, one behind the other. Whatever the bytes are, reading them
/// stays within them.
package struct EventPayload {
    private let bytes: UnsafeRawBufferPointer
    /// Where the next event begins.
    package private(set) var offset = 0
    /// Events up to `offset`, with those that were erased.
    package private(set) var passedCount = 0

    /// - Parameter bytes: must outlive this and every row it gives.
    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The next event, its slices borrowed from the payload; nil at the end. After an error it
    /// stays where it was. Events that were erased are stepped over.
    package mutating func next() throws(CorruptPayload) -> EventRow? {
        while offset < bytes.count {
            let total = try eventBytes()
            let event = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + total])
            if EventPayload.isErased(event) {
                offset += total
                passedCount += 1
                continue
            }
            guard let row = EventPayload.read(event) else { throw CorruptPayload(offset: offset) }
            offset += total
            passedCount += 1
            return row
        }
        return nil
    }

    /// Whether zeros have taken the place of an event.
    private static func isErased(_ event: UnsafeRawBufferPointer) -> Bool {
        event[EventCodec.flagsOffset] == EventCodec.Flags.erased.rawValue
            && event[(EventCodec.flagsOffset + 1)..<EventCodec.headerBytes].allSatisfy { $0 == 0 }
    }

    /// Steps over one event without reading it; false at the end.
    package mutating func skip() throws(CorruptPayload) -> Bool {
        guard offset < bytes.count else { return false }
        offset += try eventBytes()
        passedCount += 1
        return true
    }

    private func eventBytes() throws(CorruptPayload) -> Int {
        let rest = bytes.count - offset
        guard rest >= EventCodec.headerBytes else { throw CorruptPayload(offset: offset) }
        let total = Int(
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        guard total >= EventCodec.headerBytes, total <= rest else {
            throw CorruptPayload(offset: offset)
        }
        return total
    }

    /// - Parameter event: one whole event, its header included.
    private static func read(_ event: UnsafeRawBufferPointer) -> EventRow? {
        let flags = EventCodec.Flags(rawValue: event[EventCodec.flagsOffset])
        guard flags.isSubset(of: .all) else { return nil }
        var fields = Fields(event: event)
        let id = fields.take(fields.length16(EventCodec.idBytesOffset))
        let type = fields.take(Int(event[EventCodec.typeBytesOffset]))
        let source = fields.take(fields.length16(EventCodec.sourceBytesOffset))
        let subject = fields.take(fields.length16(EventCodec.subjectBytesOffset))
        let data = fields.take(fields.length32(EventCodec.dataBytesOffset))
        let extensions = fields.take(fields.length32(EventCodec.extensionsBytesOffset))
        guard let id, let type, let source, let subject, let data, let extensions,
            fields.isAtEnd, let identity = identity(id, flags),
            flags.contains(.subject) || subject.isEmpty, flags.contains(.data) || data.isEmpty,
            flags.contains(.extensions) || extensions.isEmpty
        else { return nil }
        let time = event.loadUnaligned(fromByteOffset: EventCodec.timeOffset, as: Int64.self)
        return EventRow(
            identity: identity, time: Int64(littleEndian: time), type: type, source: source,
            subject: flags.contains(.subject) ? subject : nil,
            data: flags.contains(.data) ? data : nil,
            extensions: flags.contains(.extensions) ? extensions : nil)
    }

    private static func identity(
        _ id: UnsafeRawBufferPointer, _ flags: EventCodec.Flags
    ) -> EventRow.Identity? {
        guard flags.contains(.generatedID) else { return .client(id) }
        guard id.count == EventCodec.generatedIDBytes else { return nil }
        return .generated(
            Key128(
                high: UInt64(littleEndian: id.loadUnaligned(as: UInt64.self)),
                low: UInt64(littleEndian: id.loadUnaligned(fromByteOffset: 8, as: UInt64.self))))
    }

    /// The part behind the header, taken field by field.
    private struct Fields {
        let event: UnsafeRawBufferPointer
        private var offset = EventCodec.headerBytes

        init(event: UnsafeRawBufferPointer) { self.event = event }

        var isAtEnd: Bool { offset == event.count }

        func length16(_ place: Int) -> Int {
            Int(UInt16(littleEndian: event.loadUnaligned(fromByteOffset: place, as: UInt16.self)))
        }

        func length32(_ place: Int) -> Int {
            Int(UInt32(littleEndian: event.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
        }

        mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
            guard count <= event.count - offset else { return nil }
            defer { offset += count }
            return UnsafeRawBufferPointer(rebasing: event[offset..<offset + count])
        }
    }
}
