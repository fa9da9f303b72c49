internal import Glibc
import Primitives
import TestSupport
import Testing

/// Small statements that would take gigabytes, minutes or the whole stack: each is refused or ends, the
/// process lives on, and takes no more memory than it may.
@Suite(.processes) struct SQLBombTests {
    private struct Bomb: Sendable {
        let name: String
        let sql: String
        /// What it may be refused with.
        let codes: Set<String>

        init(_ name: String, _ codes: Set<String>, _ sql: String) {
            self.name = name
            self.sql = sql
            self.codes = codes
        }
    }

    private static let complex: Set<String> = ["sql_too_complex"]
    private static let compiling: Set<String> = ["sql_too_complex", "query_timeout", "invalid_sql"]

    /// `WITH t0 AS (…), t1 AS (… t0 …), …`: `body` makes the next table of the one before.
    private static func tables(
        _ count: Int, first: String = "SELECT 1 AS x", prefix: String = "t",
        last: String = "SELECT count(*) FROM", _ body: (String) -> String
    ) -> String {
        let rest = (1...count).map { ", \(prefix)\($0) AS (\(body("\(prefix)\($0 - 1)")))" }
        return "WITH \(prefix)0 AS (\(first))" + rest.joined() + " \(last) \(prefix)\(count)"
    }

    /// Parts within parentheses, so that the expression is not deep.
    private static func balanced(_ parts: [String], _ mark: String) -> String {
        guard parts.count > 1 else { return parts.first ?? "" }
        let half = parts.count / 2
        return "(" + balanced(Array(parts[..<half]), mark) + mark
            + balanced(Array(parts[half...]), mark) + ")"
    }

    private static func all(_ count: Int, _ mark: String, _ part: (Int) -> String) -> String {
        balanced((0..<count).map(part), mark)
    }

    private static func nested(_ count: Int, _ column: String) -> String {
        (0..<count).reduce("(SELECT time AS x FROM events)") { inner, _ in
            "(SELECT \(column) AS x FROM \(inner))"
        }
    }

    private static func doubled(_ table: String) -> String {
        "SELECT a.x FROM \(table) a, \(table) b"
    }

    /// Its tokens do not show how far it unfolds.
    private static let hidden = [
        Bomb(
            "a chain of names with $", complex,
            tables(1350, prefix: "a$") { "SELECT x FROM \($0) UNION SELECT 2" }),
        Bomb("doubling with $", complex, tables(20, prefix: "t$", doubled)),
        Bomb(
            "a parameter with parentheses", complex,
            tables(14, first: "SELECT 1 AS x WHERE :p(((z) IS NULL", doubled)),
        Bomb(
            "U+FEFF before FROM", complex,
            tables(14) { "SELECT a.x \u{FEFF}FROM \($0) a CROSS \u{FEFF}JOIN \($0) b" }),
        Bomb("?1 before FROM", complex, tables(14) { "SELECT a.x,?1FROM \($0) a JOIN \($0) b" }),
        Bomb(
            "subqueries of a window", complex,
            tables(15) {
                "SELECT sum(1) OVER w AS x FROM (SELECT 1) "
                    + "WINDOW w AS (ORDER BY (SELECT a.x FROM \($0) a, \($0) b))"
            }),
        Bomb(
            "subqueries of a window on one called with", complex,
            tables(15) {
                "SELECT sum(1) OVER w AS x FROM (SELECT 1) WINDOW with AS (), "
                    + "w AS (with ORDER BY (SELECT a.x FROM \($0) a, \($0) b))"
            }),
    ]

    private static let growing = [
        Bomb(
            "3^16 parts of an expression", complex,
            tables(16, first: "SELECT time AS x FROM events", last: "SELECT x FROM") {
                "SELECT x+x+x AS x FROM \($0)"
            }),
        Bomb(
            "2^19 parts of an expression", complex,
            tables(19, first: "SELECT time AS x FROM events", last: "SELECT x FROM") {
                "SELECT x+x AS x FROM \($0)"
            }),
        Bomb("the same without WITH", complex, "SELECT x FROM \(nested(14, "x+x+x")) LIMIT 1"),
        Bomb(
            "sums of them", complex,
            "SELECT \(all(99, "+") { "sum(x+\($0))" }) FROM \(nested(6, "x+x+x"))"),
        Bomb(
            "groups of them", complex,
            "SELECT \((0..<99).map { "x+\($0)" }.joined(separator: ",")) FROM "
                + "\(nested(6, "x+x+x")) GROUP BY "
                + "\((0..<99).map { "x+\($0)" }.joined(separator: ","))"),
        Bomb(
            "a union of views in each of sixty places", complex,
            "WITH "
                + (0..<60).map {
                    "t\($0) AS (SELECT * FROM events UNION ALL SELECT * FROM events WHERE time>\($0))"
                }.joined(separator: ",") + " SELECT 1 FROM "
                + (0..<60).map { "t\($0)" }.joined(separator: ",")),
        Bomb(
            "windows", compiling,
            "SELECT \(all(1600, "+") { "sum(1)over(order by time+\($0))" }) FROM events"),
        Bomb(
            "named windows", compiling,
            "SELECT \(all(1000, "+") { "sum(1)over w\($0)" }) FROM events WINDOW "
                + (0..<1000).map { "w\($0) AS(order by time+\($0))" }.joined(separator: ",")),
        Bomb(
            "subqueries", compiling,
            "SELECT " + all(1700, "+") { _ in "(SELECT max(time)FROM events)" }),
        Bomb(
            "conditions", complex,
            "SELECT 1 FROM events WHERE " + all(2000, " AND ") { "time BETWEEN \($0) AND 9" }),
        Bomb(
            "alternatives", compiling,
            "SELECT 1 FROM events WHERE " + all(900, " OR ") { "(time,id)IN(SELECT 1,\($0))" }),
        Bomb(
            "just not too many conditions", compiling,
            "SELECT 1 FROM events WHERE "
                + all(30, " AND ") { day in all(32, " OR ") { "time=\(day * 32 + $0)" } }),
    ]

    private static let running = [
        Bomb(
            "sixty readers of a large list", ["query_too_large", "query_timeout"],
            "WITH a AS (SELECT '[' || replace(hex(zeroblob(70000)), '0', '1,') || '1]' AS l) "
                + "SELECT count(*) FROM "
                + (0..<60).map { "json_each((SELECT l FROM a)) e\($0)" }.joined(separator: ",")),
        Bomb(
            "large values sorted", ["query_timeout", "query_too_large"],
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
                + "SELECT hex(randomblob(100000)) r FROM c ORDER BY r"),
        Bomb(
            "small values sorted", ["query_timeout", "query_too_large"],
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
                + "SELECT x FROM c ORDER BY x DESC"),
    ]

    @Test func `none takes the process down, nor more memory than it may have`() throws {
        let limit = Duration.milliseconds(500)
        let service = try RunningService.start(
            ["--enable-sql", "--query-timeout", "500ms"],
            // A sanitizer reserves terabytes of addresses.
            wrapper: MillraceBinary.isSanitized == true ? [] : ["prlimit", "--as=6442450944"])
        try service.storeNumbers(1000)
        let before = service.peakBytes
        var worst = Duration.zero
        for bomb in SQLBombTests.hidden + SQLBombTests.growing + SQLBombTests.running {
            #expect(bomb.sql.utf8.count <= 64 << 10, "\(bomb.name) is no statement")
            let start = MonotonicTime.now()
            let reply = try service.sql(bomb.sql)
            let took = MonotonicTime.now().since(start)
            let code = try reply.json()["code"]?.string
            print(
                "\(took.wholeMilliseconds) ms, \(service.peakBytes >> 20) MiB  \(bomb.name): "
                    + "\(reply.status) \(code ?? "-")")
            if reply.status != 200 {
                #expect(bomb.codes.contains(code ?? ""), "\(bomb.name): \(reply.text)")
            }
            #expect([200, 400, 422, 503].contains(reply.status), "\(bomb.name): \(reply.text)")
            worst = max(worst, took)
        }
        #expect(worst < (limit + .milliseconds(500)) * slowness)
        let growth = service.peakBytes - before
        print("worst \(worst.wholeMilliseconds) ms, grown by \(growth >> 20) MiB")
        if MillraceBinary.isSanitized != true { #expect(growth < 256 << 20) }
        #expect(try service.sqlRows("SELECT count(*) FROM events") == [[.integer(1000)]])
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `temporary files do not grow beyond their bound`() throws {
        let service = try RunningService.start(["--enable-sql", "--query-timeout", "60s"])
        let most = Locked(0)
        let isDone = Locked(false)
        let watcher = Thread(name: "watcher") {
            while !isDone.withLock({ $0 }) {
                let bytes = service.deletedFileBytes
                most.withLock { $0 = max($0, bytes) }
                usleep(5000)
            }
        }
        let reply = try service.sql(
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100000) "
                + "SELECT length(max(r) OVER (ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)) "
                + "FROM (SELECT zeroblob(300000) AS r FROM c)")
        isDone.withLock { $0 = true }
        watcher.join()
        #expect(reply.status == 422 && reply.text.contains("query_too_large"), "\(reply.text)")
        #expect(reply.text.contains("disk"), "\(reply.text)")
        let bytes = most.withLock { $0 }
        print("temporary files of up to \(bytes >> 20) MiB")
        #expect(bytes > 1 << 20 && bytes <= 257 << 20)
        try service.wait(until: "they are gone") { service.deletedFileBytes == 0 }
        #expect(try service.sqlRows("SELECT 1") == [[.integer(1)]])
    }

    @Test func `a comment may follow the statement, and nothing else`() throws {
        let service = try RunningService.start(["--enable-sql"])
        for tail in ["; -- done", ";; /* a */ ; -- b\n;\n", "-- c", "; /* open", ";\u{FEFF}"] {
            #expect(try service.sqlRows("SELECT 1 AS a\(tail)") == [[.integer(1)]], "\(tail)")
        }
        for tail in ["; -- done\nSELECT 2", "; /* a */ DROP TABLE event_rows", "; nonsense", "; '"]
        {
            let reply = try service.sql("SELECT 1 AS a\(tail)")
            #expect(reply.status == 400, "\(tail): \(reply.text)")
        }
    }
}

extension RunningService {
    /// The most memory that it ever had.
    fileprivate var peakBytes: Int {
        let lines = FileSystem.text("/proc/\(pid)/status").split(separator: "\n")
        let words = (lines.first { $0.hasPrefix("VmHWM:") } ?? "").split { $0 == " " || $0 == "\t" }
        return (words.dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }

    /// What its open files without a name hold.
    fileprivate var deletedFileBytes: Int {
        let folder = "/proc/\(pid)/fd"
        guard let stream = opendir(folder) else { return 0 }
        defer { closedir(stream) }
        var bytes = 0
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { name in
                String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
            }
            var facts = stat()
            guard stat("\(folder)/\(name)", &facts) == 0, facts.st_mode & S_IFMT == S_IFREG,
                facts.st_nlink == 0
            else { continue }
            bytes += Int(facts.st_size)
        }
        return bytes
    }
}
