import Testing

@testable import Query

@Suite struct CostBookTests {
    @Test func `a kind is long while nobody knows it, and by what it took`() {
        let book = CostBook()
        #expect(book.isLong(1))
        book.note(1, .milliseconds(1))
        #expect(!book.isLong(1) && book.isLong(2))
        book.note(1, .seconds(5))
        #expect(book.isLong(1))
        for _ in 0..<20 { book.note(1, .milliseconds(1)) }
        #expect(!book.isLong(1))
        // Another kind in the same place.
        book.note(1 + 4096, .milliseconds(1))
        #expect(book.isLong(1) && !book.isLong(1 + 4096))
    }

    @Test func `questions that differ only in values are of one kind`() throws {
        func kind(_ text: String) throws -> UInt64 {
            try QueryRequest.parse(pairs(text)).costKind(now: EventFile.now)
        }
        let base = try kind("metric=count&where=k:eq:a&from=-24h")
        #expect(try kind("metric=count&where=k:eq:b&from=-24h") == base)
        #expect(try kind("metric=count&where=k:eq:a&from=-30d") != base)
        #expect(try kind("metric=count&where=k:prefix:a&from=-24h") != base)
        #expect(try kind("metric=sum:n&where=k:eq:a&from=-24h") != base)
        #expect(try kind("metric=count&where=k:eq:a&from=-24h&event=t") != base)
    }

    @Test(arguments: ["fill=0", "order=n", "order=-count", "rollup=off", "cache=bypass"])
    func `what makes a question dearer makes it another kind`(parameter: String) throws {
        func kind(_ text: String) throws -> UInt64 {
            try QueryRequest.parse(pairs(text)).costKind(now: EventFile.now)
        }
        let base = "metric=count&group_by=n&interval=1m&from=-24h"
        #expect(try kind(base + "&" + parameter) != kind(base))
        #expect(try kind(base + "&" + parameter) == kind(base + "&limit=9&" + parameter))
    }

    @Test func `a question that fills many buckets of groups is long at once`() throws {
        func fills(_ text: String) throws -> Bool {
            try QueryRequest.parse(pairs("metric=count&" + text)).fillsMany(now: EventFile.now)
        }
        let many = "group_by=k&interval=1m&fill=0&from=2024-01-01&to=2024-03-10"
        #expect(try fills(many))
        #expect(try !fills("group_by=k&interval=1d&fill=0&from=2024-01-01&to=2024-03-10"))
        #expect(try !fills("interval=1m&fill=0&from=2024-01-01&to=2024-03-10"))
        #expect(try !fills("group_by=k&interval=1m&from=2024-01-01&to=2024-03-10"))
    }
}
