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
    private(set) var pipeline = RedisPipeline(capacity: 1 << 20)
    /// The partition of each command.
    private(set) var partitions: [UInt8] = []
    /// Events that were encoded.
    private(set) var eventCount = 0
    private var frames: [Frame]

    /// A partition's events on their way into a frame.
    private final class Frame {
        var payload = ByteBuffer(capacity: 64 << 10)
        var count = 0
    }

    /// A frame larger than this is closed: 2 MiB decompressed for whoever reads it.
    private static let frameBytes = 2 << 20

    init(_ options: StreamOptions, keys: StreamKeys) {
        self.keys = keys
        partitioner = StreamPartitioner(options)
        encoding = options.encoding
        node = options.node
        command = StreamCommand(keys, node: options.node)
        frames = (0..<keys.count).map { _ in Frame() }
    }

    mutating func removeAll() {
        pipeline.removeAll()
        partitions.removeAll(keepingCapacity: true)
        eventCount = 0
        for frame in frames {
            frame.payload.removeAll()
            frame.count = 0
        }
    }

    /// Encodes the events of one record.
    /// - Returns: false if what follows in the payload is no event, and so was left out.
    mutating func add(_ payload: UnsafeRawBufferPointer, sequence: UInt64) -> Bool {
        command.setOrigin(sequence: sequence)
        var events = EventPayload(payload)
        var index = 0
        while true {
            let event: EventRow?
            do throws(CorruptPayload) { event = try events.next() } catch { return false }
            guard let event else { return true }
            add(event, partitioner.partition(event, sequence: sequence, index: index))
            index += 1
        }
    }

    /// Encodes an event that comes from the store: the journal no longer has it.
    mutating func add(_ event: EventRow, row: Int64) {
        command.setOrigin(sequence: 0)
        add(event, partitioner.partition(event, sequence: UInt64(clamping: row), index: 0))
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

    private mutating func add(_ event: EventRow, _ partition: Int) {
        eventCount += 1
        guard encoding == .entry else {
            frames[partition].payload.append(event: event)
            frames[partition].count += 1
            if frames[partition].payload.count >= StreamEncoder.frameBytes { closeFrame(partition) }
            return
        }
        partitions.append(UInt8(truncatingIfNeeded: partition))
        command.append(event, to: &pipeline, partition: partition)
    }

    private mutating func closeFrame(_ partition: Int) {
        let frame = frames[partition]
        guard frame.count > 0 else { return }
        let compressed = gzipCompress(frame.payload.span)
        partitions.append(UInt8(truncatingIfNeeded: partition))
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
