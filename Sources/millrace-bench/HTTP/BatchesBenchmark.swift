/// Batches of events as NDJSON.
struct BatchesBenchmark: Benchmark {
    static let name = "batches"
    static let summary = "POST /events, NDJSON of 500 events a request, 8 connections"

    private let load: IntakeLoad

    init(_ bench: Bench) throws(BenchFailure) { load = try IntakeLoad(bench) }

    var sides: [Side] {
        [
            Side(name: "8 connections") { (time) throws(BenchFailure) in
                try load.post(
                    .ndjson(SampleEvents.lines), eventsEach: SampleEvents.batchCount,
                    connections: 8, for: time)
            }
        ]
    }

    func finish() throws(BenchFailure) -> [SideFigures] { try load.finish() }
}
