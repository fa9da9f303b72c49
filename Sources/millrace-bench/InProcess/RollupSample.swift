import Primitives
import Query
import Storage
import Telemetry

/// A store with rollups, and questions to it. Each is answered once from the events as well, and the
/// answers must have the same bytes.
final class RollupSample {
    private let store: EventStore
    private let service: QueryService
    private let rows: Int
    private var compared: Set<String> = []

    init(_ bench: Bench, _ rows: Int, _ rollups: [Rollup]) throws(BenchFailure) {
        self.rows = rows
        store = try SampleStore.open(
            SampleStore.directory(bench, rows: rows, rollups: rollups) + "/store.db", rollups)
        service = QueryService(store.readers, rollups: rollups)
    }

    deinit { store.close(deadline: .after(.seconds(10))) }

    var sides: [Side] {
        let end = SampleRow.time(rows)
        let hour = end - end % 3_600_000
        let week: Int64 = 7 * 86_400_000
        let ragged = Timestamp.format(end - week)
        let path = [("group_by", "path")]
        let hours = [("interval", "1h")]
        return [
            question("all days by path", "2000-01-01", nil, path),
            question("a week by path", Timestamp.format(hour - week), Timestamp.format(hour), path),
            question(
                "a week by hour", Timestamp.format(hour - week), Timestamp.format(hour), hours),
            question("a ragged week", ragged, Timestamp.format(end), path),
        ]
    }

    private func question(
        _ name: String, _ from: String, _ to: String?, _ more: [(String, String)]
    ) -> Side {
        let size = FigureText.format(Double(rows), .number)
        return Side(name: "\(name), \(size)") { [self] (time) throws(BenchFailure) in
            var given = [
                Parameter(name: "metric", elements: ["count", "avg:ms"]),
                Parameter(name: "from", value: from),
            ]
            given += more.map { Parameter(name: $0.0, value: $0.1) }
            if let to { given.append(Parameter(name: "to", value: to)) }
            if compared.insert(name).inserted { try compare(given) }
            var watch = Stopwatch()
            try watch.run(for: time) { () throws(BenchFailure) in _ = try answer(given) }
            let latency = watch.latency.figures()
            return latency + [Figure("answers/s", .perSecond, watch.perSecond())]
        }
    }

    private func compare(_ given: [Parameter]) throws(BenchFailure) {
        let fromEvents = try answer(given + [Parameter(name: "rollup", value: "off")])
        guard try answer(given).body.text == fromEvents.body.text else {
            throw BenchFailure("rollup and events differ")
        }
        let plan = try answer(given + [Parameter(name: "explain", value: "1")]).body.text
        guard plan.contains(#""source":"rollup""#) else {
            throw BenchFailure("no rollup answers: \(plan)")
        }
    }

    private func answer(_ parameters: [Parameter]) throws(BenchFailure) -> QueryAnswer {
        try attempt("the question") { () throws(QueryError) in
            try service.answer(
                try QueryRequest.parse(parameters), deadline: .after(.seconds(600)))
        }
    }
}
