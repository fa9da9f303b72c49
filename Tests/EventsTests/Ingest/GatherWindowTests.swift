import Primitives
import Testing

@testable import Ingest

struct GatherWindowTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)

    @Test func `few events are stored at once, however long they come`() {
        var window = GatherWindow()
        for millisecond in 0..<1_000 {
            #expect(window.stored(1, now: start + .milliseconds(millisecond)) == nil)
        }
    }

    @Test func `many small batches in a row wait for the end of the window`() {
        var window = GatherWindow()
        #expect(window.stored(32, now: start) == nil)
        let end = Deadline(start + GatherWindow.length)
        #expect(window.stored(32, now: start + .milliseconds(1)) == end)
        #expect(window.stored(1, now: start + .milliseconds(39)) == end)
    }

    @Test func `a large batch waits for a whole window, and the next one begins anew`() {
        var window = GatherWindow()
        #expect(window.stored(5_000, now: start) == Deadline(start + GatherWindow.length))
        let next = start + GatherWindow.length
        #expect(window.stored(10, now: next) == nil)
        #expect(window.stored(54, now: next) == Deadline(next + GatherWindow.length))
    }
}
