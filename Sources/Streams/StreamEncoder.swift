import EventCoding
import Journal
import Primitives
import Redis
import Storage

/// Writes the events of journal records as XADD commands. One thread at a time; keeps its memory.
struct StreamEncoder: ~Copyable {
    private let keys: StreamKeys
    private let partitioner: StreamPartitioner
    private let encoding: StreamOptions.Encoding
    private let node: String
    private var command: StreamCommand
    private var journal: JournalIdentity
    /// The origin of an entry names `journal`, and not an unused name.
    private var isVouched = true
    private(set) var pipeline = RedisPipeline(capacity: 1 << 20)
    /// The partition of each command.
    private(set) var partitions: [UInt8] = []
    /// Where each command ends: it and those before it hold what their partition has up to there.
    private(set) var places: [EventPlace] = []
    /// Where the last event ends that was encoded or left out.
    private(set) var end = EventPlace.start
    /// Events that were encoded.
    private(set) var eventCount = 0
    /// By partition: what is before this place is left out. Empty leaves out nothing.
    private var taken: [EventPlace] = []
    private var limits = Limits(commands: .max, bytes: .max)
    /// In open frames.
    private var openBytes = 0
    private var frames: [Frame]

    /// Of a pipeline; the event that reaches one is the last.
    struct Limits {
        var commands: Int
        var bytes: Int
    }

    /// Why a record was not encoded any further.
    enum Stop {
        case end
        /// The pipeline is full; it goes on where it was.
        case full
        /// What follows in the payload is no event, and so is left out.
        case corrupt
    }

    /// How much of a record is encoded.
    struct RecordPart {
        var offset = 0
        var count = 0
    }

    /// A partition's events on their way into a frame.
    private final class Frame {
        var payload = ByteBuffer(capacity: 64 << 10)
        var count = 0
    }

    /// No frame of several events is larger: 2 MiB decompressed for its readers.
    private static let frameBytes = 2 << 20

    /// - Parameter journal: whose records are encoded, and in whose name rows of the store.
    init(_ options: StreamOptions, keys: StreamKeys, journal: JournalIdentity) {
        self.keys = keys
        partitioner = StreamPartitioner(options)
        encoding = options.encoding
        node = options.node
        command = StreamCommand(keys, node: options.node, journal: journal)
        self.journal = journal
        frames = (0..<keys.count).map { _ in Frame() }
    }

    /// What is encoded from here on is of another journal.
    mutating func setJournal(_ journal: JournalIdentity) {
        self.journal = journal
        isVouched = true
        command.setJournal(journal)
    }

    /// Up to the journal's floor its name vouches for nothing.
    private mutating func nameJournal(of sequence: UInt64) {
        guard isVouched != (sequence > journal.floor) else { return }
        // A frame names one journal.
        finish()
        isVouched.toggle()
        command.setJournal(isVouched ? journal : .unused)
    }

    /// Forgets what was encoded.
    /// - Parameters:
    ///   - limits: of the pipeline that begins.
    ///   - taken: by partition, what Redis has already; empty if that is nothing of what comes.
    mutating func removeAll(
        _ limits: Limits = Limits(commands: .max, bytes: .max), taken: [EventPlace] = []
    ) {
        (self.limits, self.taken) = (limits, taken)
        pipeline.removeAll()
        partitions.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        end = .start
        eventCount = 0
        openBytes = 0
        for frame in frames {
            frame.payload.removeAll()
            frame.count = 0
        }
    }

    var isFull: Bool {
        pipeline.commandCount >= limits.commands
            || pipeline.byteCount + openBytes >= limits.bytes
    }

    /// Encodes the events of one record from `part` on, as far as the pipeline has room.
    /// - Parameter filter: events that are left out.
    mutating func add(
        _ payload: UnsafeRawBufferPointer, sequence: UInt64, from part: inout RecordPart,
        leavingOut filter: ErasureFilter? = nil
    ) -> Stop {
        nameJournal(of: sequence)
        command.setOrigin(sequence: sequence)
        let start = part
        var events = EventPayload(UnsafeRawBufferPointer(rebasing: payload[start.offset...]))
        while !isFull {
            let event: EventRow?
            do throws(CorruptPayload) { event = try events.next() } catch { return .corrupt }
            guard let event else { return .end }
            let index = start.count + events.passedCount - 1
            part = RecordPart(offset: start.offset + events.offset, count: index + 1)
            if let filter, filter.matches(event) {
                end = EventPlace(sequence: sequence, count: index + 1)
                continue
            }
            let partition = partitioner.partition(event, sequence: sequence, index: index)
            add(event, partition, at: EventPlace(sequence: sequence, count: index))
        }
        return part.offset < payload.count ? .full : .end
    }

    /// Encodes an event that comes from the store: the journal no longer has it.
    mutating func add(_ event: EventRow, row: Int64) {
        nameJournal(of: .max)
        command.setOrigin(sequence: 0)
        let place = EventPlace(sequence: UInt64(clamping: row), count: 0)
        add(
            event, partitioner.partition(event, sequence: place.sequence, index: 0), at: place)
    }

    /// Call after the last record: writes down what was gathered in frames.
    mutating func finish() {
        for partition in frames.indices { closeFrame(partition) }
    }

    /// Lets Redis remember how far this node has sent, if there was anything to send: after
    /// `finish`. The one command that has no partition.
    mutating func mark(_ sequence: UInt64) {
        guard !pipeline.isEmpty else { return }
        pipeline.begin("HSET", argumentCount: 3)
        pipeline.add(keys.mark)
        pipeline.add(node)
        pipeline.add(decimal: Int(clamping: sequence))
    }

    /// - Parameter place: where the event begins.
    private mutating func add(_ event: EventRow, _ partition: Int, at place: EventPlace) {
        let isTaken = !taken.isEmpty && place < taken[partition]
        if !isTaken, encoding == .frame {
            // While `end` is not yet behind this event, which the frame does not have.
            makeRoom(for: event, partition)
        }
        end = EventPlace(sequence: place.sequence, count: place.count + 1)
        if isTaken { return }
        eventCount += 1
        guard encoding == .entry else {
            let before = frames[partition].payload.count
            frames[partition].payload.append(event: event)
            frames[partition].count += 1
            openBytes += frames[partition].payload.count - before
            if frames[partition].payload.count >= StreamEncoder.frameBytes { closeFrame(partition) }
            return
        }
        partitions.append(UInt8(truncatingIfNeeded: partition))
        places.append(end)
        command.append(event, to: &pipeline, partition: partition)
    }

    /// Closes the partition's frame if `event` would make it larger than any should be: with the
    /// largest event it could be more than readers unpack, and they would refuse all of it.
    private mutating func makeRoom(for event: EventRow, _ partition: Int) {
        let bytes = frames[partition].payload.count + EventCodec.encodedBytes(event)
        if bytes > StreamEncoder.frameBytes { closeFrame(partition) }
    }

    private mutating func closeFrame(_ partition: Int) {
        let frame = frames[partition]
        guard frame.count > 0 else { return }
        let compressed = gzipCompress(frame.payload.span)
        partitions.append(UInt8(truncatingIfNeeded: partition))
        places.append(end)
        openBytes -= frame.payload.count
        pipeline.begin("XADD", argumentCount: 8)
        pipeline.add(keys[partition])
        pipeline.add(literal: "*")
        pipeline.add(literal: "frame")
        pipeline.add(compressed.span)
        pipeline.add(literal: "count")
        pipeline.add(decimal: frame.count)
        pipeline.add(literal: "origin")
        pipeline.add(command.plainOrigin)
        frame.payload.removeAll()
        frame.count = 0
    }
}
