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
}
