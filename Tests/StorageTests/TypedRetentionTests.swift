import Primitives
import SQLite
import TestSupport
import Testing

@testable import Storage

@Suite(.blocking) struct TypedRetentionTests {
    private let minute: Int64 = 60_000

    @Test(arguments: [
        ("http.request", Duration.seconds(7)), ("http.", .seconds(7)), ("http", .seconds(90)),
        ("http.audit", .seconds(30)), ("http.audit.x", .seconds(20)), ("http.audit.", .seconds(20)),
        ("order", nil), ("orders", .seconds(90)), ("e\u{301}", .seconds(90)),
        ("\u{E9}", .seconds(1)),
    ])
    func `the rule that names most of a type counts`(type: String, age: Duration?) {
        let policy = RetentionPolicy(
            standard: .seconds(90),
            rules: [
                .init(type: "http.*", age: .seconds(7)),
                .init(type: "http.audit.*", age: .seconds(20)),
                .init(type: "http.audit", age: .seconds(30)), .init(type: "order", age: nil),
                .init(type: "\u{E9}", age: .seconds(1)),
            ])
        #expect(policy.age(of: type) == age)
    }

    @Test func `each type goes at its own age, in steps, and generations tell`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let types = ["http.a", "http.b", "order", "audit"]
        try store.write(
            (0..<400).map { index in
                TestEvent(
                    id: "\(index)", type: types[index % 4],
                    time: start + Int64(index / 40) * minute + Int64(index % 40))
            })
        let policy = RetentionPolicy(
            standard: .seconds(6 * 60),
            rules: [.init(type: "http.*", age: .seconds(120)), .init(type: "audit", age: nil)])
        let now = start + 10 * minute
        var before = try store.generation()
        var steps = 0
        while true {
            let step = try store.retain(policy, at: now, limit: 13)
            let after = try store.generation()
            // Each deletion is a change, and folding loses none.
            #expect(after == before + Int64(step.deleted) && step.deleted <= 13)
            before = after
            steps += 1
            if step.isDone { break }
        }
        #expect(steps > 10)
        func oldest(_ type: String) throws -> Int64? {
            try store.integer(
                "SELECT min(time) FROM events WHERE type = '\(type)'"
            ).map { ($0 - start) / minute }
        }
        #expect(try oldest("http.a") == 8 && oldest("http.b") == 8)
        #expect(try oldest("order") == 4 && oldest("audit") == 0)
        #expect(store.status.rows == 20 + 20 + 60 + 100)
        #expect(try store.retain(policy, at: now) == RetentionStep())
        // What is late goes with the next look.
        try store.write([TestEvent(id: "late", type: "http.a", time: start)])
        #expect(try store.retain(policy, at: now).deleted == 1)
        #expect(try IntegrityReport(path: folder.database).problems.isEmpty)
        store.close(deadline: soon)
    }
}
