import EventCoding
import Journal
import Primitives

/// Bodies of events into the journal's form: JSON, ids, checksum. No disk.
struct DecodeBenchmark: Benchmark {
    static let name = "decode"
    static let summary = "bodies of 130-byte events into journal records: NDJSON, array, single"

    private let decoder = EventDecoder()
    private let batch = JournalBatch()

    init(_ bench: Bench) throws(BenchFailure) {}

    var sides: [Side] {
        let count = SampleEvents.batchCount
        return [
            side("ndjson of \(count)", SampleEvents.lines, .ndjson, count),
            side("array of \(count)", SampleEvents.array, .json, count),
            side("single", SampleEvents.single, .json, 1),
        ]
    }

    private func side(_ name: String, _ text: String, _ format: EventFormat, _ count: Int) -> Side {
        // Behind the text lies the padding that the decoder reads into.
        let body = Bytes(text)
        return Side(name: name) { (time) throws(BenchFailure) in
            // The first body gives parser and batch their memory.
            try decode(body, format, count)
            var watch = Stopwatch()
            let allocations = AllocationCount.now
            try watch.run(for: time) { () throws(BenchFailure) in
                try decode(body, format, count)
            }
            let events = watch.count * count
            let allocated = AllocationCount.figures(
                since: allocations, operations: events, of: "event")
            let rate = watch.perSecond(Double(count))
            return [
                Figure("events/s", .perSecond, rate), Figure("event", .nanoseconds, 1e9 / rate),
            ] + watch.latency.figures(each: count) + allocated
        }
    }

    private func decode(
        _ body: Bytes, _ format: EventFormat, _ count: Int
    ) throws(BenchFailure) {
        let defaults = EventDefaults(
            source: DecodeBenchmark.source.span, now: WallClock.nowMilliseconds())
        batch.removeAll()
        let accepted: Int
        do throws(BodyError) {
            accepted = try decoder.decode(
                body.span, as: format, defaults: defaults, into: batch, onRejected: { _ in })
        } catch {
            throw BenchFailure("a body was refused: \(error)")
        }
        guard accepted == count else { throw BenchFailure("\(accepted) of \(count) were taken") }
    }

    private static let source = Bytes("/anonymous")
}
