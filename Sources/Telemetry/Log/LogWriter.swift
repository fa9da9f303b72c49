import Primitives

/// Makes lines of records, once for each look, and hands them to the lanes in chunks. The back
/// end's thread alone.
struct LogWriter: ~Copyable {
    /// What is encoded in one way, and for whom.
    private struct Page: ~Copyable {
        let look: LogLook
        let lanes: [LogSinkLane]
        var lines = ByteBuffer(capacity: LogWriter.chunkBytes)
        var records = 0

        mutating func handOver() {
            guard records > 0 else { return }
            var next = ByteBuffer(capacity: LogWriter.chunkBytes)
            swap(&next, &lines)
            let chunk = LogChunk(lines: next.freeze(), records: records)
            records = 0
            for lane in lanes { lane.offer(chunk) }
        }
    }

    /// Small enough that the C library keeps the memory for the next.
    private static let chunkBytes = 64 << 10

    private let drops: LogDrops
    private var encoder: LogEncoder
    private var sampler: LogSampler?
    private var json: Page
    private var text: Page
    private let hasJSON: Bool
    private let hasText: Bool

    init(_ lanes: [(look: LogLook, lane: LogSinkLane)], _ options: LogOptions, _ drops: LogDrops) {
        self.drops = drops
        encoder = LogEncoder(masker: options.masker)
        sampler = options.sampling.map { LogSampler($0) }
        let forPeople = lanes.filter { $0.look.isText }
        let forPrograms = lanes.filter { !$0.look.isText }
        json = Page(look: .json, lanes: forPrograms.map(\.lane))
        // All that are for people are stdout, so they look alike.
        text = Page(
            look: forPeople.first?.look ?? .text(isColoured: false), lanes: forPeople.map(\.lane))
        hasJSON = !forPrograms.isEmpty
        hasText = !forPeople.isEmpty
    }

    mutating func add(_ record: LogRecord) {
        var sampledOut = 0
        if sampler != nil {
            guard let skipped = sampler?.admit(record) else { return drops.add(.sampled) }
            sampledOut = skipped
        }
        if hasJSON { LogWriter.add(record, sampledOut, counts: true, to: &json, &encoder) }
        if hasText { LogWriter.add(record, sampledOut, counts: !hasJSON, to: &text, &encoder) }
    }

    private static func add(
        _ record: LogRecord, _ sampledOut: Int, counts: Bool, to page: inout Page,
        _ encoder: inout LogEncoder
    ) {
        encoder.append(
            record, page.look, sampledOut: sampledOut, counts: counts, to: &page.lines)
        page.records += 1
        if page.lines.count > LogWriter.chunkBytes - 1024 { page.handOver() }
    }

    /// Hands over what has been written.
    mutating func handOver() {
        json.handOver()
        text.handOver()
    }
}

extension LogLook {
    fileprivate var isText: Bool {
        if case .text = self { true } else { false }
    }
}
