import Primitives
import Query
import Storage
import Telemetry

/// Queries without HTTP: parse, compile, run, encode. One at a time.
final class QueryBenchmark: Benchmark {
    static let name = "query"
    static let summary = "queries over 1,000,000 rows in process, computed from the rows"

    private let store: EventStore
    private let service: QueryService

    init(_ bench: Bench) throws(BenchFailure) {
        let directory = try SampleStore.directory(bench)
        store = try attempt("the sample store") { () throws(StorageError) in
            try EventStore(
                path: directory + "/store.db", now: WallClock.nowMilliseconds(), log: .silent)
        }
        service = QueryService(store.readers)
    }

    deinit { store.close(deadline: .after(.seconds(10))) }

    var sides: [Side] {
        SampleQuery.all.map { query in
            Side(name: query.name) { [self] (time) throws(BenchFailure) in
                let first = try answer(query)
                defer { withExtendedLifetime(first) {} }
                try query.check(first.body.span)
                var watch = Stopwatch()
                try watch.run(for: time) { () throws(BenchFailure) in _ = try answer(query) }
                return [Figure("queries/s", .perSecond, watch.perSecond())]
                    + watch.latency.figures()
            }
        }
    }

    private func answer(_ query: SampleQuery) throws(BenchFailure) -> QueryAnswer {
        try attempt(query.name) { () throws(QueryError) in
            let parameters = query.parameters.map { name, value in
                Parameter(name: name, elements: value.split(separator: ",").map(String.init))
            }
            return try service.answer(
                try QueryRequest.parse(parameters), deadline: .after(.seconds(60)))
        }
    }
}
