import Primitives

/// Messages that were read from a spool together: one request's worth. Two messages one behind the
/// other are one message with the records of both, so what is sent is `messages` as it lies there.
struct LogSpoolRun: ~Copyable {
    struct Frame {
        /// Of `messages`.
        let place: Range<Int>
        let records: Int
    }

    private(set) var messages = ByteBuffer(capacity: 64 << 10)
    private(set) var frames: [Frame] = []
    /// Where the next run begins.
    var end: LogSpoolPosition
    private(set) var records = 0
    /// Records that were there and cannot be read any more.
    private(set) var damagedRecords = 0
    /// The next frame would pass the limit.
    private(set) var isFull = false

    init(start: LogSpoolPosition) { end = start }

    /// Borrowed from this run.
    func messages(_ place: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: messages.span[place])
    }

    /// Records are missing that should have been among those that were read.
    mutating func addDamage(_ records: Int) { damagedRecords += records }

    /// Reads the frame at `end`, or steps over it if it is damaged.
    /// - Parameter segmentBytes: where the segment's frames end; beyond `end`.
    mutating func read(
        _ file: LogSpoolFile, segmentBytes: Int, _ limitBytes: Int
    ) throws(LogSpoolError) {
        var frame = ByteBuffer(capacity: LogSpoolFrame.headerBytes)
        try file.read(LogSpoolFrame.headerBytes, at: end.offset, to: &frame)
        guard let header = LogSpoolFrame.header(frame.span),
            end.offset + header.frameBytes <= segmentBytes
        else {
            // How many records were there the spool sees at its end.
            end.offset = segmentBytes
            return
        }
        guard frames.isEmpty || messages.count + header.bytes <= limitBytes else {
            isFull = true
            return
        }
        try file.read(header.bytes, at: end.offset + LogSpoolFrame.headerBytes, to: &frame)
        end.offset += header.frameBytes
        guard LogSpoolFrame.isWhole(frame.span, header) else {
            damagedRecords += header.records
            return
        }
        let start = messages.count
        messages.append(
            UnsafeRawBufferPointer(rebasing: frame.span[LogSpoolFrame.headerBytes...]))
        frames.append(Frame(place: start..<messages.count, records: header.records))
        records += header.records
    }
}
