/// Every benchmark there is, in the order in which they run.
enum BenchmarkCatalogue {
    static let all: [any (Benchmark & SendableMetatype).Type] = [
        DecodeBenchmark.self, BreakerBenchmark.self, LoggerBenchmark.self, MaskBenchmark.self,
        ChecksumBenchmark.self,
        GzipBenchmark.self, CacheBenchmark.self, LogsBenchmark.self, JournalBenchmark.self,
        WriterBenchmark.self, IdentityBenchmark.self, QueryBenchmark.self, ScanBenchmark.self,
        RollupBenchmark.self, StartupBenchmark.self,
        HealthBenchmark.self, EventsBenchmark.self, BatchesBenchmark.self,
        StreamsBenchmark.self, QueryHTTPBenchmark.self, HitsBenchmark.self, DashboardBenchmark.self,
        LogsHTTPBenchmark.self, LogsFloodBenchmark.self,
    ]

    static func named(_ name: String) -> (any Benchmark.Type)? { all.first { $0.name == name } }
}
