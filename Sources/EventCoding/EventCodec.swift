import Primitives
import Storage

/// How an event lies in the payload of a journal record: a header of 28 bytes, then the bytes it
/// counts, in the order of the header; events follow one another without gaps.
///
///     0  total bytes      UInt32  header included, so that an event can be stepped over
///     4  flags            UInt8   what is there; see `Flags`
///     5  type bytes       UInt8
///     6  source bytes     UInt16
///     8  subject bytes    UInt16
///     10 id bytes         UInt16  16 for a generated id: high, then low
///     12 data bytes       UInt32
///     16 extensions bytes UInt32
///     20 time             Int64   milliseconds since 1970
///
/// All little-endian and unaligned. A flag that a reader does not know makes the event unreadable
/// for it, which leaves room for later forms.
package enum EventCodec {
    package static let headerBytes = 28

    struct Flags: OptionSet {
        let rawValue: UInt8
        static let generatedID = Flags(rawValue: 1)
        static let subject = Flags(rawValue: 2)
        static let data = Flags(rawValue: 4)
        static let extensions = Flags(rawValue: 8)
        static let all: Flags = [.generatedID, .subject, .data, .extensions]
        /// The event was erased: all bytes after the flags are zero. Readers skip it.
        static let erased = Flags(rawValue: 16)
    }

    static let flagsOffset = 4
    static let typeBytesOffset = 5
    static let sourceBytesOffset = 6
    static let subjectBytesOffset = 8
    static let idBytesOffset = 10
    static let dataBytesOffset = 12
    static let extensionsBytesOffset = 16
    static let timeOffset = 20
    static let generatedIDBytes = 16

    /// The bytes that `event` takes.
    package static func encodedBytes(_ event: EventRow) -> Int {
        let idBytes =
            switch event.identity {
            case .generated: generatedIDBytes
            case .client(let id): id.count
            }
        return headerBytes + idBytes + event.type.count + event.source.count
            + (event.subject?.count ?? 0) + (event.data?.count ?? 0)
            + (event.extensions?.count ?? 0)
    }
}

extension ByteBuffer {
    /// Appends `event` in the journal's form. The decoder's limits keep every length within its
    /// field; a longer one is our own mistake.
    package mutating func append(event: EventRow) {
        let total = EventCodec.encodedBytes(event)
        let target = spare(total)
        var writer = EventEncoder(target: target)
        writer.write(event, total: total)
        commit(total)
    }
}

/// Writes one event into memory that is large enough for it.
private struct EventEncoder {
    let target: UnsafeMutableRawBufferPointer
    var offset = EventCodec.headerBytes
    var flags: EventCodec.Flags = []

    init(target: UnsafeMutableRawBufferPointer) { self.target = target }

    mutating func write(_ event: EventRow, total: Int) {
        switch event.identity {
        case .generated(let id):
            flags.insert(.generatedID)
            store(id.high, at: offset)
            store(id.low, at: offset + 8)
            offset += EventCodec.generatedIDBytes
            store(UInt16(EventCodec.generatedIDBytes), at: EventCodec.idBytesOffset)
        case .client(let id):
            store(UInt16(id.count), at: EventCodec.idBytesOffset)
            copy(id)
        }
        store(UInt8(event.type.count), at: EventCodec.typeBytesOffset)
        copy(event.type)
        store(UInt16(event.source.count), at: EventCodec.sourceBytesOffset)
        copy(event.source)
        store(UInt16(event.subject?.count ?? 0), at: EventCodec.subjectBytesOffset)
        copy(event.subject, .subject)
        store(UInt32(event.data?.count ?? 0), at: EventCodec.dataBytesOffset)
        copy(event.data, .data)
        store(UInt32(event.extensions?.count ?? 0), at: EventCodec.extensionsBytesOffset)
        copy(event.extensions, .extensions)
        store(event.time, at: EventCodec.timeOffset)
        store(flags.rawValue, at: EventCodec.flagsOffset)
        store(UInt32(total), at: 0)
    }

    private func store(_ value: some FixedWidthInteger & BitwiseCopyable, at offset: Int) {
        target.storeBytes(of: value.littleEndian, toByteOffset: offset, as: type(of: value))
    }

    private mutating func copy(_ bytes: UnsafeRawBufferPointer?, _ flag: EventCodec.Flags) {
        guard let bytes else { return }
        flags.insert(flag)
        copy(bytes)
    }

    private mutating func copy(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, let target = target.baseAddress else { return }
        (target + offset).copyMemory(from: source, byteCount: bytes.count)
        offset += bytes.count
    }
}
