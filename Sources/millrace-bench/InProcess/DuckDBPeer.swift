internal import Glibc
import Primitives
import ProcessSupport

/// DuckDB, asked what `scan` is asked: over the same JSON text, in a table of its own that lies in
/// memory's cache, on one thread. A Python program does it (`pip install duckdb`).
final class DuckDBPeer {
    private let python: String
    private let table: String
    private let output: String
    private let rows: Int

    private static let limit = Duration.seconds(600)
    private static let bytesPerWrite = 1 << 20

    /// Nil if this Python has no module `duckdb`.
    init?(_ bench: Bench) throws(BenchFailure) {
        python = bench.python
        rows = bench.rows
        output = bench.scratch.file("duckdb.txt")
        table = "\(bench.samplesPath ?? bench.scratch.path)/duckdb-\(bench.rows).db"
        let isThere =
            (try? ChildProcess(measured: [python, "-c", "import duckdb"], output: output))?
            .ending(within: DuckDBPeer.limit)
        guard isThere == .exited(0) else { return nil }
        if access(table, F_OK) != 0 { try load() }
    }

    /// Both ways to say it in DuckDB's language; the quicker one counts.
    private static let program = """
        import duckdb, json, os, sys, time
        action, path, value = sys.argv[1:]
        if action == "load":
            base = duckdb.connect(path + ".new")
            base.execute("CREATE TABLE events AS SELECT data FROM read_csv(?,"
                " columns={'data': 'VARCHAR'}, auto_detect=false, header=false, quote='',"
                " escape='', strict_mode=false, delim='" + chr(1) + "')", [value])
            base.close()
            os.rename(path + ".new", path)
            sys.exit()
        base = duckdb.connect(path, read_only=True)
        base.execute("SET threads = 1")
        base.execute("SET enable_progress_bar = false")
        each = ("SELECT data->>'$.path' AS path, count(*) AS n,"
            " avg(CAST(data->>'$.ms' AS DOUBLE)) AS mean FROM events GROUP BY path ORDER BY path")
        both = ("SELECT f[1] AS path, count(*) AS n, avg(CAST(f[2] AS DOUBLE)) AS mean FROM"
            " (SELECT json_extract_string(data, ['$.path', '$.ms']) AS f FROM events)"
            " GROUP BY path ORDER BY path")
        def ask(question):
            start = time.perf_counter_ns()
            rows = base.execute(question).fetchall()
            return time.perf_counter_ns() - start, rows
        best = min((each, both), key=lambda question: ask(question)[0])
        taken, end = [], time.monotonic() + float(value)
        while not taken or time.monotonic() < end:
            nanoseconds, rows = ask(best)
            taken.append(nanoseconds)
        print(json.dumps({"taken": taken, "rows": rows}))
        """

    /// How long each answer took, in nanoseconds.
    func ask(for time: Duration) throws(BenchFailure) -> [UInt64] {
        let text = try run("ask", "\(time.inSeconds)").trimmed
        let answer = try attempt("DuckDB") { () throws(JSONError) in try JSONValue.parse(text) }
        try check(answer["rows"]?.elements ?? [])
        let taken = (answer["taken"]?.elements ?? []).compactMap { value in
            if case .integer(let nanoseconds) = value { UInt64(nanoseconds) } else { nil }
        }
        guard !taken.isEmpty else { throw BenchFailure("DuckDB has no figures") }
        return taken
    }

    /// Groups, counts and means must be those of the rows.
    private func check(_ groups: [JSONValue]) throws(BenchFailure) {
        guard groups.count == min(SampleRow.pathCount, rows) else {
            throw BenchFailure("DuckDB: \(groups.count) paths")
        }
        let counted = groups.reduce(Int64(0)) { sum, group in
            if case .integer(let count)? = group.elements?[1] { sum + count } else { sum }
        }
        guard counted == Int64(rows) else {
            throw BenchFailure("DuckDB: counted \(counted) of \(rows)")
        }
    }

    private func load() throws(BenchFailure) {
        let text = table + ".text"
        defer { FileSystem.remove(text) }
        try write(text)
        FileSystem.remove(table + ".new")
        _ = try run("load", text)
    }

    private func write(_ path: String) throws(BenchFailure) {
        guard let file = fopen(path, "we") else { throw BenchFailure("cannot write \(path)") }
        defer { fclose(file) }
        var text = ByteBuffer(capacity: DuckDBPeer.bytesPerWrite * 2)
        for index in 0..<rows {
            SampleRow.appendData(index, to: &text)
            text.append("\n")
            guard text.count >= DuckDBPeer.bytesPerWrite || index == rows - 1 else { continue }
            guard fwrite(text.span.baseAddress, 1, text.count, file) == text.count else {
                throw BenchFailure("cannot write \(path)")
            }
            text.removeAll()
        }
    }

    private func run(_ action: String, _ value: String) throws(BenchFailure) -> String {
        let child = try ChildProcess(
            measured: [python, "-c", DuckDBPeer.program, action, table, value], output: output)
        guard child.ending(within: DuckDBPeer.limit) == .exited(0) else {
            throw BenchFailure("DuckDB: \(FileSystem.text(output).suffix(1000))")
        }
        return FileSystem.text(output)
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
