import Primitives
import SQLite

/// Says whether a file of a named query can be used, by compiling its SQL against an empty store. One
/// thread at a time.
package final class NamedQueryTrial {
    private let sandbox: SQLSandbox
    private let timeLimit: Duration

    /// - Parameter timeLimit: how long a query may take at the most.
    /// - Throws: only without memory.
    package init(timeLimit: Duration) throws(SQLiteError) {
        sandbox = try SQLSandbox()
        self.timeLimit = timeLimit
    }

    /// Why a file cannot be used.
    package struct Failure: Error, CustomStringConvertible {
        /// At least one.
        package let problems: [String]
        package var description: String { problems.joined(separator: "; ") }
    }

    package func query(name: String, text: String) throws(Failure) -> NamedQuery {
        guard NamedQuery.isName(name) else {
            throw Failure(problems: ["the name of a query has \(NamedQuery.nameRule)"])
        }
        let file = NamedQueryFile(name: name, text: text, timeLimit: timeLimit)
        guard let query = file.query else { throw Failure(problems: file.problems) }
        let problems = check(query)
        guard problems.isEmpty else { throw Failure(problems: problems) }
        return query
    }

    private func check(_ query: NamedQuery) -> [String] {
        let statement: Statement
        sandbox.connection.limit(until: .after(timeLimit))
        defer { sandbox.connection.clearLimit() }
        do throws(QueryError) {
            statement = try sandbox.connection.withBudget(sandbox.budget) { () throws(QueryError) in
                try sandbox.prepare(query.sql)
            }
        } catch {
            let line = error.offset.map { NamedQueryTrial.line(of: $0, in: query.sql) }
            return [(line.map { "line \($0): " } ?? "") + error.message]
        }
        var problems: [String] = []
        var unused = Set(query.parameters.map(\.name))
        for index in 1..<(statement.parameterCount + 1) {
            guard let marked = statement.parameterName(index), marked.first == ":" else {
                problems.append("parameters are written as :name")
                continue
            }
            let name = String(marked.dropFirst())
            if unused.remove(name) == nil, name != SQLQuestion.present {
                problems.append(":\(name) is not declared")
            }
        }
        problems += unused.sorted().map { "the SQL does not use the parameter \($0)" }
        return problems
    }

    private static func line(of offset: Int, in sql: String) -> Int {
        sql.utf8.prefix(offset).count { $0 == 0x0A } + 1
    }
}
