import Primitives

/// Messages on disk, from when they are taken in until they are delivered: what lets a receiver be
/// away, and this program be killed, without losing records.
///
///     writer:  try spool.append(message, records: 40)
///     sender:  while let run = try spool.next(limitBytes: 1 << 20) { …; spool.advance(past: run) }
///
/// Invariants:
/// - A message is in the kernel's hands when `append` returns; a crash of the machine may cost what
///   was not synced yet (`syncTime`).
/// - Messages are read in their order. What was read and not advanced past is read again after a
///   restart, so a receiver may get it twice and never not at all.
/// - The segments take at most `limitBytes`, and `append` refuses what would pass it.
/// - A checksum guards each message. A damaged one is counted and stepped over; where not even its
///   length can be trusted, the rest of its segment goes with it.
///
/// One thread appends, one reads; the counts are for any.
final class LogSpool: Sendable {
    enum Appended: Equatable {
        case done
        /// It is in the file, and a crash of the machine may cost more of the spool than it should.
        case notSynced(LogSpoolError)
        /// There is no room below the limit.
        case full
    }

    private struct Segment {
        let number: UInt64
        /// Up to the last whole frame.
        var bytes: Int
    }

    private struct State {
        /// Oldest first; the last one may still grow.
        var segments: [Segment] = []
        var read = LogSpoolPosition(segment: 1, offset: 0)
        /// Beyond `read`.
        var records = 0
        var nextNumber: UInt64 = 1
        /// The writer is at the last segment, which must stay.
        var isAppending = false

        /// With what has been delivered of the first segment and is still there.
        var bytes: Int { segments.reduce(0) { $0 + $1.bytes } }
        /// Without that.
        var waitingBytes: Int {
            segments.reduce(0) { sum, segment in
                if segment.number < read.segment { return sum }
                return sum + segment.bytes - (segment.number == read.segment ? read.offset : 0)
            }
        }
    }

    /// What the writer's thread alone touches.
    private final class Output: @unchecked Sendable {  // The appending thread.
        var file: LogSpoolFile?
        /// The segment that `file` is.
        var number: UInt64 = 0
        var frame = ByteBuffer(capacity: 4096)
        var synced = MonotonicTime.now()
    }

    /// What the reader's thread alone touches.
    private final class Input: @unchecked Sendable {  // The reading thread.
        var file: LogSpoolFile?
        var number: UInt64 = 0
    }

    private static let largestSegmentBytes = 4 << 20
    /// How much of a busy spool a crash of the machine may cost.
    private static let syncTime = Duration.seconds(1)

    private let folder: LogSpoolFolder
    private let limitBytes: Int
    private let segmentBytes: Int
    private let state: Locked<State>
    private let output = Output()
    private let input = Input()

    /// Opens the spool of a folder, or begins one.
    /// - Throws: what the file system says.
    init(path: String, limitBytes: Int) throws(LogSpoolError) {
        folder = try LogSpoolFolder(path: path)
        self.limitBytes = limitBytes
        segmentBytes = min(LogSpool.largestSegmentBytes, limitBytes / 8)
        state = Locked(try LogSpool.survey(folder))
    }

    /// Records that are to be delivered.
    var records: Int { state.withLock { $0.records } }
    /// Of messages that are to be delivered.
    var waitingBytes: Int { state.withLock { $0.waitingBytes } }
    /// On disk.
    var bytes: Int { state.withLock { $0.bytes } }

    // MARK: Writing

    /// Appends a message. The writer's thread.
    func append(
        _ message: UnsafeRawBufferPointer, records: Int
    ) throws(LogSpoolError) -> Appended {
        let size = LogSpoolFrame.headerBytes + message.count
        let used = state.withLock { $0.bytes }
        guard used + size <= limitBytes else { return .full }
        output.frame.removeAll()
        output.frame.shrink(above: 1 << 20)
        LogSpoolFrame.append(message, records: records, to: &output.frame)
        let file = try fileWithRoom(for: size)
        do {
            try file.append(output.frame.span)
        } catch {
            // Nobody knows what the disk does with this one from here on.
            output.file = nil
            state.withLock { $0.isAppending = false }
            throw error
        }
        state.withLock { state in
            state.segments[state.segments.count - 1].bytes += size
            state.records += records
            state.isAppending = false
        }
        let now = MonotonicTime.now()
        guard now.since(output.synced) > LogSpool.syncTime else { return .done }
        output.synced = now
        do throws(LogSpoolError) { try file.syncData() } catch {
            // `fdatasync` is not asked twice about the same bytes.
            output.file = nil
            return .notSynced(error)
        }
        return .done
    }

    /// The file of the last segment, or of a new one, which stays until `isAppending` is false.
    private func fileWithRoom(for size: Int) throws(LogSpoolError) -> LogSpoolFile {
        if let file = output.file {
            let (isThere, hasRoom) = state.withLock { state -> (Bool, Bool) in
                guard let last = state.segments.last, last.number == output.number else {
                    return (false, false)
                }
                state.isAppending = last.bytes == 0 || last.bytes + size <= segmentBytes
                return (true, state.isAppending)
            }
            if hasRoom { return file }
            output.file = nil
            if isThere { try file.syncData() }
        }
        let number = state.withLock { $0.nextNumber }
        let file = try LogSpoolFile.create(folder.segmentPath(number))
        output.file = file
        output.number = number
        state.withLock { state in
            state.nextNumber = number + 1
            state.segments.append(Segment(number: number, bytes: 0))
            state.isAppending = true
        }
        return file
    }

    // MARK: Reading

    /// The next messages, `limitBytes` of them or a single larger one; nil if there is none. The
    /// reader's thread.
    func next(limitBytes: Int) throws(LogSpoolError) -> LogSpoolRun? {
        var run = LogSpoolRun(start: state.withLock { $0.read })
        while let segment = segment(at: &run.end) {
            let frames = run.frames.count
            try read(segment, into: &run, limitBytes)
            if run.isFull || (run.frames.count == frames && run.end.offset < segment.bytes) {
                break
            }
        }
        if run.frames.isEmpty { run.addDamage(max(0, missing(at: run.end) - run.damagedRecords)) }
        if run.frames.isEmpty && run.damagedRecords == 0 { return nil }
        return run
    }

    /// Records that are counted and of which nothing is left to read: the length of a frame was
    /// damaged, and what lay behind it went with it. Zero while there is something to read.
    private func missing(at end: LogSpoolPosition) -> Int {
        state.withLock { state in
            let isAtEnd = state.segments.allSatisfy {
                $0.number < end.segment || ($0.number == end.segment && $0.bytes <= end.offset)
            }
            return isAtEnd ? state.records : 0
        }
    }

    /// The segment that has something at `position`, which moves on where one is at its end.
    private func segment(at position: inout LogSpoolPosition) -> Segment? {
        state.withLock { state in
            for segment in state.segments where segment.number >= position.segment {
                if segment.number > position.segment {
                    position = LogSpoolPosition(segment: segment.number, offset: 0)
                }
                if position.offset < segment.bytes { return segment }
            }
            return nil
        }
    }

    private func read(
        _ segment: Segment, into run: inout LogSpoolRun, _ limitBytes: Int
    ) throws(LogSpoolError) {
        if input.number != segment.number || input.file == nil {
            input.file = try LogSpoolFile.open(folder.segmentPath(segment.number))
            input.number = segment.number
        }
        guard let file = input.file else { return }
        while run.end.offset < segment.bytes, !run.isFull {
            try run.read(file, segmentBytes: segment.bytes, limitBytes)
        }
    }

    /// Forgets what `run` holds: it was delivered, or given up. Its segments are removed once nothing
    /// of them waits, the last one too, so that no text outlives its delivery. The reader's thread.
    /// - Throws: the position could not be kept; it counts all the same until a restart.
    func advance(past run: borrowing LogSpoolRun) throws(LogSpoolError) {
        let gone = state.withLock { state -> [UInt64] in
            state.read = run.end
            state.records -= min(state.records, run.records + run.damagedRecords)
            let count = state.segments.prefix { segment in
                if segment.number != run.end.segment { return segment.number < run.end.segment }
                // The next append begins a new one.
                return segment.bytes <= run.end.offset && !state.isAppending
            }.count
            defer { state.segments.removeFirst(count) }
            return state.segments.prefix(count).map(\.number)
        }
        // Before the position is kept: on a full disk that fails, and this makes room.
        if gone.contains(input.number) { input.file = nil }
        for number in gone { folder.remove(number) }
        try folder.keep(run.end)
    }

    // MARK: Opening

    /// What is there and not delivered. Reads headers alone: O(frames).
    private static func survey(_ folder: LogSpoolFolder) throws(LogSpoolError) -> State {
        var state = State()
        let position = folder.position()
        state.nextNumber = (position?.segment ?? 0) + 1
        state.read = position ?? state.read
        for number in try folder.segments() {
            state.nextNumber = max(state.nextNumber, number + 1)
            guard number >= state.read.segment else {
                folder.remove(number)
                continue
            }
            let start = number == state.read.segment ? state.read.offset : 0
            let found = try frames(
                of: try LogSpoolFile.open(folder.segmentPath(number)), from: start)
            state.segments.append(Segment(number: number, bytes: found.bytes))
            state.records += found.records
        }
        return state
    }

    /// - Returns: where the last whole frame ends, and the records of those at or beyond `start`.
    private static func frames(
        of file: LogSpoolFile, from start: Int
    ) throws(LogSpoolError) -> (bytes: Int, records: Int) {
        let size = try file.size()
        var header = ByteBuffer(capacity: LogSpoolFrame.headerBytes)
        var (offset, records) = (0, 0)
        while offset < size {
            header.removeAll()
            try file.read(LogSpoolFrame.headerBytes, at: offset, to: &header)
            guard let frame = LogSpoolFrame.header(header.span),
                offset + frame.frameBytes <= size
            else { break }
            if offset >= start { records += frame.records }
            offset += frame.frameBytes
        }
        return (offset, records)
    }
}
