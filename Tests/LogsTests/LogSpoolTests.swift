import Glibc
import Primitives
import TestSupport
import Testing

@testable import Logs

/// What waits on disk to be forwarded.
@Suite struct LogSpoolTests {
    private let folder: TemporaryDirectory
    private var path: String { folder.file("spools/one") }

    init() throws { folder = try TemporaryDirectory() }

    private func append(_ numbers: Range<Int>, to spool: LogSpool) throws {
        for number in numbers {
            let message = Bytes("message \(number);")
            let outcome = try withExtendedLifetime(message) {
                try spool.append(message.span, records: 2)
            }
            #expect(outcome == .done)
        }
    }

    /// Reads all that is left, and forgets it.
    private func drain(_ spool: LogSpool, limitBytes: Int = 1 << 20) throws -> [String] {
        var messages: [String] = []
        while let run = try spool.next(limitBytes: limitBytes) {
            for frame in run.frames {
                messages.append(String(decoding: run.messages(frame.place), as: UTF8.self))
            }
            try spool.advance(past: run)
        }
        return messages
    }

    /// Messages and records of the next run; empty without one.
    private func size(_ spool: LogSpool, limitBytes: Int) throws -> [Int] {
        guard let run = try spool.next(limitBytes: limitBytes) else { return [] }
        return [run.frames.count, run.records]
    }

    private func texts(_ numbers: Range<Int>) -> [String] { numbers.map { "message \($0);" } }

    @Test func `messages come back in their order, a request's worth at a time`() throws {
        let spool = try LogSpool(path: path, limitBytes: 8 << 20)
        try append(0..<100, to: spool)
        #expect(spool.records == 200)
        #expect(try size(spool, limitBytes: 50) == [5, 10])
        #expect(try drain(spool, limitBytes: 50) == texts(0..<100))
        #expect(spool.records == 0)
        #expect(try size(spool, limitBytes: 50).isEmpty)
    }

    @Test func `a message larger than a request comes alone`() throws {
        let spool = try LogSpool(path: path, limitBytes: 8 << 20)
        try append(0..<3, to: spool)
        #expect(try size(spool, limitBytes: 1) == [1, 2])
    }

    @Test func `what was not advanced past is there after a restart`() throws {
        var spool = try LogSpool(path: path, limitBytes: 8 << 20)
        try append(0..<10, to: spool)
        if let run = try spool.next(limitBytes: 50) { try spool.advance(past: run) }
        spool = try LogSpool(path: path, limitBytes: 8 << 20)
        #expect(spool.records == 10)
        try append(10..<12, to: spool)
        #expect(try drain(spool) == texts(5..<12))
        spool = try LogSpool(path: path, limitBytes: 8 << 20)
        #expect(spool.records == 0)
        try append(12..<13, to: spool)
        #expect(try drain(spool) == texts(12..<13))
    }

    @Test func `without its position all that is there comes again`() throws {
        var spool = try LogSpool(path: path, limitBytes: 8 << 20)
        try append(0..<4, to: spool)
        if let run = try spool.next(limitBytes: 25) { try spool.advance(past: run) }
        #expect(spool.records == 4)
        try FileSystem.write("nonsense".utf8, to: path + "/position")
        spool = try LogSpool(path: path, limitBytes: 8 << 20)
        #expect(try drain(spool) == texts(0..<4))
    }

    @Test func `a full spool refuses, and takes again once some is delivered`() throws {
        let limit = 256 << 10
        let spool = try LogSpool(path: path, limitBytes: limit)
        let message = Bytes(String(repeating: "x", count: 1000))
        func fill() throws -> Int {
            var count = 0
            while try withExtendedLifetime(message, { try spool.append(message.span, records: 1) })
                == .done
            {
                count += 1
            }
            return count
        }
        let first = try fill()
        #expect(first == limit / 1016)
        #expect(spool.bytes <= limit)
        for _ in 0..<40 {
            if let run = try spool.next(limitBytes: 4000) { try spool.advance(past: run) }
        }
        #expect(try fill() > 60)
        #expect(spool.bytes <= limit)
        let names = FileSystem.names(in: path).filter { $0.hasSuffix(".spool") }
        #expect(names.count <= 9)
    }

    @Test func `what is delivered is not on disk any more, and the next goes on after it`() throws {
        let spool = try LogSpool(path: path, limitBytes: 8 << 20)
        for round in 0..<3 {
            let numbers = round * 5..<round * 5 + 5
            try append(numbers, to: spool)
            #expect(try drain(spool) == texts(numbers))
            #expect(FileSystem.names(in: path) == ["position"])
            #expect(spool.bytes == 0 && spool.records == 0)
        }
        let again = try LogSpool(path: path, limitBytes: 8 << 20)
        try append(15..<17, to: again)
        #expect(try drain(again) == texts(15..<17))
    }

    @Test func `nothing is lost while one thread appends and another removes what it has read`()
        throws
    {
        let spool = try LogSpool(path: path, limitBytes: 8 << 20)
        let count = 3000
        let failure = Locked<String?>(nil)
        let appending = Thread(name: "appends") {
            do { try append(0..<count, to: spool) } catch { failure.withLock { $0 = "\(error)" } }
        }
        var messages: [String] = []
        let deadline = Deadline.after(.seconds(60))
        while messages.count < count, !deadline.hasPassed, failure.withLock({ $0 }) == nil {
            messages += try drain(spool)
        }
        appending.join()
        #expect(failure.withLock { $0 } == nil)
        #expect(messages == texts(0..<count))
        #expect(FileSystem.names(in: path).filter { $0.hasSuffix(".spool") }.count <= 1)
    }

    @Test func `a position that cannot be kept does not keep what was delivered`() throws {
        let spool = try LogSpool(path: path, limitBytes: 8 << 20)
        try append(0..<3, to: spool)
        // What stands in the way of the new position is no file.
        #expect(mkdir(path + "/position.new", 0o700) == 0)
        #expect(throws: LogSpoolError.self) {
            if let run = try spool.next(limitBytes: 1 << 20) { try spool.advance(past: run) }
        }
        #expect(FileSystem.names(in: path).allSatisfy { !$0.hasSuffix(".spool") })
        #expect(spool.records == 0)
    }

    @Test func `a torn end is left out, and what comes after it is read`() throws {
        var spool = try LogSpool(path: path, limitBytes: 8 << 20)
        try append(0..<5, to: spool)
        let segment = path + "/0000000000000001.spool"
        let bytes = try #require(FileSystem.read(segment))
        try FileSystem.write(Array(bytes.dropLast(5)), to: segment)
        spool = try LogSpool(path: path, limitBytes: 8 << 20)
        #expect(spool.records == 8)
        try append(5..<7, to: spool)
        #expect(try drain(spool) == texts(0..<4) + texts(5..<7))
    }

    @Test(arguments: [20, 0, 4])
    func `a damaged message is counted and stepped over`(offset: Int) throws {
        var spool = try LogSpool(path: path, limitBytes: 8 << 20)
        try append(0..<5, to: spool)
        let segment = path + "/0000000000000001.spool"
        spool = try LogSpool(path: path, limitBytes: 8 << 20)
        try append(5..<8, to: spool)
        var bytes = try #require(FileSystem.read(segment))
        // The second message: its text, its mark, or its length.
        bytes[26 + offset] ^= 0xFF
        try FileSystem.write(bytes, to: segment)
        var (messages, damaged): ([String], Int) = ([], 0)
        while let run = try spool.next(limitBytes: 1 << 20) {
            damaged += run.damagedRecords
            messages += run.frames.map {
                String(decoding: run.messages($0.place), as: UTF8.self)
            }
            try spool.advance(past: run)
        }
        let left = offset == 20 ? [0] + Array(2..<8) : [0] + Array(5..<8)
        #expect(messages == left.map { "message \($0);" })
        #expect(damaged == (8 - left.count) * 2)
        #expect(spool.records == 0)
    }
}
