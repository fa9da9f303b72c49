import SQLite
import TestSupport
import Testing

@testable import Query

/// The functions that were made anew, against SQLite's own.
@Suite(.blocking) struct SQLFunctionTests {
    private func value(_ connection: Connection, _ expression: String) throws -> SQLValue {
        let statement = try connection.prepare("SELECT " + expression)
        _ = try statement.step()
        return statement.value(0)
    }

    @Test func `bounded functions say what SQLite's own say`() throws {
        let own = try Connection(path: ":memory:", role: .writer)
        let bounded = try Connection(path: ":memory:", role: .writer)
        try bounded.boundFunctions()
        let texts = [
            "NULL", "''", "'a'", "'abc'", "'aXbXc'", "'äöü€😀x'", "'ü'", "'€😀'", "x'616263'",
            "x'62'",
            "x''", "12345", "3.5", "'%'", "'a%'", "'_b_'", "'A*'", "'[a-c]bc'", "'ABC'", "'  a '",
        ]
        var compared = 0
        for a in texts {
            for b in texts {
                for expression in [
                    "instr(\(a), \(b))", "replace(\(a), \(b), 'Y')", "replace(\(a), 'X', \(b))",
                    "\(a) LIKE \(b)", "\(a) GLOB \(b)", "like(\(b), \(a))", "trim(\(a), \(b))",
                    "ltrim(\(a), \(b))", "rtrim(\(a), \(b))", "\(a) LIKE \(b) ESCAPE '_'",
                ] {
                    let (left, right) = (try value(own, expression), try value(bounded, expression))
                    #expect(left == right, "\(expression)")
                    compared += 1
                }
            }
        }
        #expect(compared == texts.count * texts.count * 10)
        #expect(throws: SQLiteError.self) { try value(bounded, "'a' LIKE 'a' ESCAPE 'xy'") }
    }
}
