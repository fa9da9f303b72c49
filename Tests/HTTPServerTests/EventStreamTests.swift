import Primitives
import Testing
import TestSupport

@testable import HTTPServer

/// The queue of a streaming reply, without a socket.
@Suite(.blocking) struct EventStreamTests {
    private func read(_ stream: EventStream, _ count: Int) -> (EventStream.Read, String) {
        var bytes = [UInt8](repeating: 0, count: count)
        let read = bytes.withUnsafeMutableBytes { stream.read(into: $0) }
        guard case .bytes(let count) = read else { return (read, "") }
        return (read, String(decoding: bytes[..<count], as: UTF8.self))
    }

    @Test func `hands on what was sent, in pieces of any size`() {
        for size in 1...12 {
            let stream = EventStream()
            for text in ["abc", "", "d", "efghij"] { #expect(stream.send(Bytes(text))) }
            var all = ""
            while true {
                let (found, text) = read(stream, size)
                if found == .nothing { break }
                #expect(found == .bytes(text.utf8.count))
                all += text
            }
            #expect(all == "abcdefghij")
        }
    }

    @Test func `refuses what does not fit, and takes it once there is room`() {
        let stream = EventStream(limitBytes: 10)
        #expect(stream.send(Bytes("12345")))
        #expect(!stream.send(Bytes("123456")))
        #expect(stream.send(Bytes("67890")))
        #expect(!stream.send(Bytes("x")))
        #expect(read(stream, 3).1 == "123")
        #expect(stream.send(Bytes("abc")))
        #expect(!stream.send(Bytes("x")))
        #expect(read(stream, 100).1 == "4567890abc")
        #expect(read(stream, 100).0 == .nothing)
    }

    @Test func `takes what is larger than its limit when nothing waits`() {
        let stream = EventStream(limitBytes: 4)
        #expect(stream.send(Bytes("123456")))
        #expect(!stream.send(Bytes("x")))
        #expect(!stream.isHalfEmpty)
        #expect(read(stream, 4).1 == "1234")
        #expect(stream.isHalfEmpty)
        #expect(stream.send(Bytes("xy")))
        #expect(read(stream, 100).1 == "56xy")
    }

    @Test func `ends after what is queued`() {
        let stream = EventStream()
        #expect(stream.send(Bytes("last")))
        stream.finish()
        #expect(!stream.send(Bytes("more")))
        #expect(read(stream, 100).1 == "last")
        #expect(read(stream, 100).0 == .end)
        #expect(!stream.isClosed)
    }

    @Test func `drops what is queued when it is closed, and says so once`() {
        let stream = EventStream()
        let calls = Monitor(0)
        stream.onClose { calls.change { $0 += 1 } }
        stream.onClose { calls.change { $0 += 1 } }
        #expect(stream.send(Bytes("x")))
        stream.close()
        stream.close()
        #expect(calls.withLock { $0 } == 2)
        stream.onClose { calls.change { $0 += 1 } }
        #expect(calls.withLock { $0 } == 3)
        #expect(stream.isClosed)
        #expect(!stream.send(Bytes("y")))
        #expect(read(stream, 10).0 == .nothing)
    }

    @Test func `wakes its loop for news and for the end`() {
        let stream = EventStream(limitBytes: 2)
        let wakes = Monitor(0)
        #expect(stream.send(Bytes("a")))
        stream.attach { wakes.change { $0 += 1 } }
        #expect(stream.send(Bytes("b")))
        #expect(!stream.send(Bytes("c")))
        #expect(wakes.withLock { $0 } == 1)
        stream.finish()
        #expect(wakes.withLock { $0 } == 2)
        stream.close()
        stream.finish()
        #expect(wakes.withLock { $0 } == 2)
    }

    @Test func `takes the same bytes from many threads once each`() {
        let stream = EventStream(limitBytes: 1 << 20)
        let threads = (0..<4).map { number in
            Thread(name: "sender") {
                for _ in 0..<1000 { _ = stream.send(Bytes("\(number)")) }
            }
        }
        for thread in threads { thread.join() }
        let text = read(stream, 10_000).1
        for number in 0..<4 {
            #expect(text.count { $0 == Character("\(number)") } == 1000)
        }
    }
}
