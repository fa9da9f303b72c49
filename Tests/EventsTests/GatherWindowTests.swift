import Primitives
import Testing

@testable import Events

@Suite("Events in a row are stored together")
struct GatherWindowTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)

    @Test("Few events are stored at once, however long they come")
    func fewAreStoredAtOnce() {
        var window = GatherWindow()
        for millisecond in 0..<1_000 {
            #expect(window.stored(1, now: start + .milliseconds(millisecond)) == nil)
        }
    }

    @Test("Many small batches in a row wait for the end of the window")
    func manyWaitForTheEnd() {
        var window = GatherWindow()
        #expect(window.stored(32, now: start) == nil)
        let end = Deadline(start + GatherWindow.length)
        #expect(window.stored(32, now: start + .milliseconds(1)) == end)
        #expect(window.stored(1, now: start + .milliseconds(39)) == end)
    }

    @Test("A large batch waits for a whole window, and the next one begins anew")
    func largeBatchWaits() {
        var window = GatherWindow()
        #expect(window.stored(5_000, now: start) == Deadline(start + GatherWindow.length))
        let next = start + GatherWindow.length
        #expect(window.stored(10, now: next) == nil)
        #expect(window.stored(54, now: next) == Deadline(next + GatherWindow.length))
    }
}
