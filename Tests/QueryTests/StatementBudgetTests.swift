import Primitives
import SQLite
import Testing

@testable import Query

/// What a budget refuses, on threads of their own.
@Suite(.blocking) struct StatementBudgetTests {
    /// What `sql` fails with within `budget`, on a thread with a stack of `stackBytes`.
    private func failure(
        _ sql: String, _ budget: StatementBudget = StatementBudget(),
        until deadline: Deadline = .never, stackBytes: Int = Thread.deepStackBytes
    ) -> SQLiteError? {
        let found = Locked<SQLiteError?>(nil)
        let thread = Thread(name: "budget", stackBytes: stackBytes) {
            do throws(SQLiteError) {
                let connection = try Connection(path: ":memory:", role: .reader)
                connection.limit(until: deadline)
                try connection.withBudget(budget) { () throws(SQLiteError) in
                    let statement = try connection.prepare(sql)
                    connection.allow(bytes: budget.runBytes)
                    try statement.run()
                }
            } catch { found.withLock { $0 = error } }
        }
        thread.join()
        return found.withLock { $0 }
    }

    private static func chain(_ count: Int) -> String {
        "WITH t0 AS (SELECT 1 AS x)"
            + (1...count).map { ", t\($0) AS (SELECT x FROM t\($0 - 1) UNION SELECT 2)" }.joined()
            + " SELECT x FROM t\(count)"
    }

    private static let counter =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3000000) "

    @Test func `a deep statement ends before the stack does`() throws {
        let error = try #require(
            failure(StatementBudgetTests.chain(3000), stackBytes: Thread.stackBytes))
        #expect(error.bound == .stack && error.isOutOfMemory, "\(error)")
        #expect(QueryError.compiling(error, offset: nil).code == "sql_too_complex")
        #expect(failure(StatementBudgetTests.chain(500)) == nil)
    }

    @Test func `memory to compile is bounded, and memory to run`() throws {
        var small = StatementBudget()
        small.compileBytes = 1 << 20
        let long = "SELECT 1 IN (" + (0..<20_000).map { "\($0)" }.joined(separator: ",") + ")"
        #expect(failure(long, small)?.bound == .memory)
        small = StatementBudget()
        small.runBytes = 2 << 20
        let error = try #require(
            failure(
                StatementBudgetTests.counter + "SELECT group_concat(x) FROM c", small))
        #expect(error.bound == .memory)
        #expect(QueryError.sql(error).code == "query_too_large")
        #expect(QueryError.sql(error).kind == .unprocessable)
        // A thread goes on without the budget that it had.
        #expect(failure(StatementBudgetTests.counter + "SELECT group_concat(x) FROM c") == nil)
    }

    @Test func `temporary files are bounded`() throws {
        var small = StatementBudget()
        small.fileBytes = 8 << 20
        let sql = StatementBudgetTests.counter + "SELECT x, random() AS r FROM c ORDER BY r"
        let error = try #require(failure(sql, small))
        #expect(error.bound == .files && error.isFull, "\(error)")
        #expect(QueryError.sql(error).code == "query_too_large")
        #expect(failure(sql) == nil)
    }

    @Test func `what is late is late, wherever it is noticed`() throws {
        let windows = (0..<1600).map { "sum(1)over(order by x+\($0))" }
        let sql = "SELECT 1 IN (\(windows.joined(separator: ","))) FROM (SELECT 1 AS x)"
        let error = try #require(failure(sql, until: .after(.milliseconds(1))))
        #expect(error.bound == .time && error.isInterrupted, "\(error)")
        #expect(QueryError.compiling(error, offset: nil).code == "query_timeout")
    }
}
