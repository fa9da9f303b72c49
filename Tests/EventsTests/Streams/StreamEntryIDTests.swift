import Testing

@testable import EventCoding

@Suite struct StreamEntryIDTests {
    @Test(arguments: ["0-0", "1700000000000-5", "18446744073709551615-18446744073709551615"])
    func `what Redis writes is read and written back`(text: String) throws {
        #expect(try #require(StreamEntryID(text)).description == text)
    }

    @Test(arguments: ["", "-", "1", "1-", "-1", "1-2-3", "a-1", "1-2 ", "18446744073709551616-0"])
    func `anything else is no id`(text: String) { #expect(StreamEntryID(text) == nil) }

    @Test func `ids are ordered by time, then by number`() throws {
        let ids = try ["0-1", "0-2", "1-0", "10-0"].map { try #require(StreamEntryID($0)) }
        #expect(ids.sorted() == ids)
        #expect(ids[0].next == ids[1])
        let last = StreamEntryID(milliseconds: 4, number: .max)
        #expect(last.next == StreamEntryID(milliseconds: 5, number: 0))
        let greatest = StreamEntryID(milliseconds: .max, number: .max)
        #expect(greatest.next == greatest)
    }
}
