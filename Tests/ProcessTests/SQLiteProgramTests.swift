internal import Glibc
import Primitives
import TestSupport
import Testing

/// Answers of `/query` beside those of the `sqlite3` program, which read the same file of an access
/// log by itself. `MILLRACE_ACCESS_LOG` names a real one; without it one is made.
@Suite(.processes) struct SQLiteProgramTests {
    /// A question, and the SQL whose rows are the answer's: times in RFC 3339, keys in order.
    private static let questions = [
        ("metric=count", "SELECT count(*) FROM e"),
        (
            "metric=count,sum:bytes,avg:bytes,min:bytes,max:bytes",
            "SELECT count(*), sum(b), avg(b), min(b), max(b) FROM e"
        ),
        (
            "metric=uniq:subject,uniq:path,uniq:agent,min:time,max:time",
            "SELECT count(DISTINCT subject), count(DISTINCT p), count(DISTINCT a), "
                + "strftime('%Y-%m-%dT%H:%M:%fZ', min(time) / 1000, 'unixepoch'), "
                + "strftime('%Y-%m-%dT%H:%M:%fZ', max(time) / 1000, 'unixepoch') FROM e"
        ),
        (
            "metric=count,avg:bytes&group_by=status&order=status",
            "SELECT s, count(*), avg(b) FROM e GROUP BY s ORDER BY s"
        ),
        (
            "metric=count,uniq:subject&interval=1d",
            "SELECT strftime('%Y-%m-%dT00:00:00.000Z', time / 1000, 'unixepoch') AS d, "
                + "count(*), count(DISTINCT subject) FROM e GROUP BY d ORDER BY d"
        ),
        (
            "metric=count&interval=1h&where=status:eq:404",
            "SELECT strftime('%Y-%m-%dT%H:00:00.000Z', time / 1000, 'unixepoch') AS h, "
                + "count(*) FROM e WHERE s = 404 GROUP BY h ORDER BY h"
        ),
        (
            "metric=count,sum:bytes&group_by=path&order=-count,path&limit=50",
            "SELECT p, count(*) AS n, sum(b) FROM e GROUP BY p ORDER BY n DESC, p LIMIT 50"
        ),
        (
            "metric=count&group_by=method,status&where=bytes:ge:100000&where=path:prefix:/"
                + "&order=method,status",
            "SELECT m, s, count(*) FROM e WHERE b >= 100000 AND p GLOB '/*' GROUP BY m, s "
                + "ORDER BY m, s"
        ),
        (
            "metric=count,max:bytes&where=referrer:contains:example&where=status:in:200,304",
            "SELECT count(*), max(b) FROM e WHERE instr(r, 'example') AND s IN (200, 304)"
        ),
        (
            "metric=count&where=referrer:exists:false&where=status:ne:200",
            "SELECT count(*) FROM e WHERE r IS NULL AND s <> 200"
        ),
        (
            "metric=p50:bytes,p90:bytes,p95:bytes,p99:bytes&group_by=status&order=status",
            "SELECT s, min(CASE WHEN k * 100 >= n * 50 THEN b END), "
                + "min(CASE WHEN k * 100 >= n * 90 THEN b END), "
                + "min(CASE WHEN k * 100 >= n * 95 THEN b END), "
                + "min(CASE WHEN k * 100 >= n * 99 THEN b END) FROM (SELECT s, b, "
                + "row_number() OVER (PARTITION BY s ORDER BY b NULLS LAST) AS k, "
                + "count(b) OVER (PARTITION BY s) AS n FROM e) "
                + "GROUP BY s ORDER BY s"
        ),
        (
            "metric=count&group_by=subject&from=2015-05-18T06:30:00Z&to=2015-05-19"
                + "&order=-count,subject&limit=100",
            "SELECT subject, count(*) AS n FROM e WHERE time >= 1431930600000 "
                + "AND time < 1431993600000 GROUP BY subject ORDER BY n DESC, subject LIMIT 100"
        ),
    ]

    @Test func `answers are those of the sqlite3 program on the same file`() throws {
        let service = try RunningService.start()
        let path = service.directory.file("access.ndjson")
        let named = getenv("MILLRACE_ACCESS_LOG").map { String(cString: $0) }
        let lines = try named.map { try #require(FileSystem.read($0)) } ?? AccessLog().ndjson
        try FileSystem.write(lines, to: path)
        let stored = try service.post(
            "/events?ack=stored&timeout_ms=60000", lines, type: "application/x-ndjson")
        #expect(stored.status == 200, "\(stored.text)")
        let oracle = try Oracle(path, service.directory)
        for (question, sql) in Self.questions {
            let range = question.contains("from=") ? "" : "&from=2015-01-01&to=2016-01-01"
            let answer = try service.get("/query?\(question)\(range)").json()
            let rows = answer["rows"]?.elements ?? []
            let expected = try oracle.rows(sql, columns: answer["columns"]?.elements.count ?? 0)
            #expect(!rows.isEmpty && rows.count == expected.count, "\(sql)")
            for (row, other) in zip(rows, expected) {
                for (mine, theirs) in zip(row.elements, other.elements) {
                    #expect(Self.isEqual(mine, theirs), "\(question): \(mine) \(theirs)")
                }
            }
        }
        #expect(try service.terminate() == .exited(0))
    }

    /// Reals within what the program prints of them, fifteen digits.
    private static func isEqual(_ mine: JSONTree, _ theirs: JSONTree) -> Bool {
        if mine == theirs { return true }
        guard let a = mine.number, let b = theirs.number else { return false }
        return abs(a - b) <= abs(b) * 1e-14
    }
}

/// The `sqlite3` program with a file of events, one a line, in its table `e`.
private struct Oracle {
    private let base: String
    private let output: String

    init(_ path: String, _ directory: TemporaryDirectory) throws {
        base = directory.file("oracle.db")
        output = directory.file("oracle.txt")
        _ = try run(Self.table(path))
    }

    /// The events of a file, one a line, as rows.
    private static func table(_ path: String) -> String {
        """
        CREATE TABLE e AS SELECT value ->> 'subject' AS subject,
            unixepoch(value ->> 'time') * 1000 AS time, value ->> '$.data.bytes' AS b,
            value ->> '$.data.status' AS s, value ->> '$.data.path' AS p,
            value ->> '$.data.method' AS m, value ->> '$.data.agent' AS a,
            value ->> '$.data.referrer' AS r
        FROM json_each('[' || replace(rtrim(readfile('\(path)'), char(10)), char(10), ',') || ']')
        """
    }

    /// Rows as arrays.
    func rows(_ sql: String, columns: Int) throws -> [JSONTree] {
        let names = (0..<columns).map { "c\($0)" }.joined(separator: ", ")
        return try run("WITH q(\(names)) AS (\(sql)) SELECT json_array(\(names)) FROM q")
            .split(separator: "\n").map { try JSONTree.parse($0) }
    }

    private func run(_ sql: String) throws -> String {
        FileSystem.remove(output)
        let program = try ChildProcess(["sqlite3", base, sql], output: output, errors: output)
        let text = { FileSystem.text(output) }
        guard program.exit(within: .seconds(60)) == .exited(0) else {
            throw TestError("sqlite3: \(text().suffix(1000))")
        }
        return text()
    }
}
