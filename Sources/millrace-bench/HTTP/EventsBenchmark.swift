/// One event a request, acknowledged once it is synced.
struct EventsBenchmark: Benchmark {
    static let name = "events"
    static let summary = "POST /events, one event a request, 64 and 512 connections"

    private let load: IntakeLoad

    init(_ bench: Bench) throws(BenchFailure) { load = try IntakeLoad(bench) }

    var sides: [Side] {
        [64, 512].map { connections in
            Side(name: "\(connections) connections") { (time) throws(BenchFailure) in
                try load.post(
                    .json(SampleEvents.single), eventsEach: 1, connections: connections, for: time)
            }
        }
    }

    func finish() throws(BenchFailure) -> [SideFigures] { try load.finish() }
}
