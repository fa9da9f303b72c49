import Glibc
import Primitives
import Telemetry
import TestSupport
import Testing

@Suite struct LogFileTests {
    private func logger(_ options: LogFileOptions) throws -> Logger {
        let file = LogFile(options)
        try file.open()
        return Logger(level: .info, outputs: [LogOutput(file, .json)])
    }

    private func fill(_ logger: Logger, _ range: Range<Int>) {
        for number in range {
            logger.info("a line") {
                $0.add("number", number)
                $0.add("text", String(repeating: "x", count: 200))
            }
            if number % 100 == 99 { logger.flush() }
        }
    }

    private func numbers(_ bytes: some Sequence<UInt8>) -> [Int] {
        String(decoding: Array(bytes), as: UTF8.self).split(separator: "\n")
            .compactMap { String($0).number("number") }
    }

    private func wait(_ what: Comment, _ isSo: () throws -> Bool) rethrows {
        let deadline = Deadline.after(.seconds(20) * slowness)
        while !(try isSo()) {
            guard !deadline.hasPassed else { return #expect(Bool(false), what) }
            usleep(2000)
        }
    }

    @Test func `a full file is put aside and compressed, and nothing is lost or torn`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("millrace.log")
        let logger = try logger(LogFileOptions(path: path, maxBytes: 100_000))
        fill(logger, 0..<2000)
        logger.close()
        wait("all that was put aside is compressed") {
            directory.names.allSatisfy { $0 == "millrace.log" || $0.hasSuffix("Z.gz") }
        }
        var found: [Int] = []
        for name in directory.names where name.hasSuffix(".gz") {
            let bytes = try directory.read(name)
            let text = try bytes.withUnsafeBytes { try gunzipAll($0) }
            found += numbers(text)
        }
        #expect(directory.names.count > 4)
        found += numbers(try directory.read("millrace.log"))
        #expect(found == Array(0..<2000))
        #expect(try directory.read("millrace.log").count <= 100_000 + (64 << 10))
    }

    /// What Python's gzip module makes of it: another reader than ours.
    private func gunzipAll(_ bytes: UnsafeRawBufferPointer) throws -> [UInt8] {
        let directory = try TemporaryDirectory()
        try directory.write("in.gz", bytes)
        let child = try ChildProcess(
            ["gzip", "-dc", directory.file("in.gz")], output: directory.file("out"),
            errors: directory.file("err"))
        #expect(child.exit(within: .seconds(20)) == .exited(0))
        return try directory.read("out")
    }

    @Test func `only as many files as are wanted stay`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("millrace.log")
        try directory.write("millrace.log.notes", "somebody else's")
        let logger = try logger(LogFileOptions(path: path, maxBytes: 30_000, keepFiles: 3))
        fill(logger, 0..<2000)
        logger.close()
        wait("the oldest are gone") {
            directory.names.filter { $0.hasSuffix(".gz") }.count == 3
                && directory.names.count == 5
        }
        #expect(try directory.read("millrace.log.notes") == Array("somebody else's".utf8))
    }

    @Test func `files that are put aside within a millisecond have names of their own`() throws {
        let directory = try TemporaryDirectory()
        let file = LogFile(
            LogFileOptions(
                path: directory.file("millrace.log"), maxBytes: 10, keepFiles: 1000))
        try file.open()
        for number in 0..<200 {
            let line = Array("line \(number)\n".utf8)
            try line.withUnsafeBytes { try file.write($0) }
        }
        #expect(file.complaint == nil)
        wait("all that was put aside is compressed") {
            directory.names.count == 200
                && directory.names.allSatisfy { $0 == "millrace.log" || $0.hasSuffix("Z.gz") }
        }
    }

    @Test func `a renamed file is left alone once it is told, and loses nothing`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("millrace.log")
        let logger = try logger(LogFileOptions(path: path))
        fill(logger, 0..<100)
        #expect(rename(path, directory.file("moved")) == 0)
        fill(logger, 100..<200)
        logger.reopen()
        fill(logger, 200..<300)
        logger.close()
        #expect(numbers(try directory.read("moved")) == Array(0..<200))
        #expect(numbers(try directory.read("millrace.log")) == Array(200..<300))
    }

    @Test func `a file that somebody truncates goes on at its new end, without zeros`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("millrace.log")
        let logger = try logger(LogFileOptions(path: path))
        fill(logger, 0..<100)
        #expect(truncate(path, 0) == 0)
        fill(logger, 100..<200)
        logger.close()
        let bytes = try directory.read("millrace.log")
        #expect(!bytes.contains(0) && numbers(bytes) == Array(100..<200))
    }

    @Test func `a file whose first record is old is put aside, also one of an earlier process`()
        throws
    {
        let directory = try TemporaryDirectory()
        let path = directory.file("millrace.log")
        let old = #"{"time":"2015-05-17T10:05:03.007Z","level":"info","message":"old","number":-1}"#
        try directory.write("millrace.log", old + "\n")
        let logger = try logger(LogFileOptions(path: path, maxAge: .seconds(3600)))
        fill(logger, 0..<10)
        logger.close()
        #expect(numbers(try directory.read("millrace.log")) == Array(0..<10))
        wait("the old one is compressed") {
            directory.names.contains { $0.hasSuffix("Z.gz") } && directory.names.count == 2
        }
    }

    @Test func `a file that cannot be opened is said to be so`() {
        #expect(throws: LogSinkError.self) {
            try LogFile(LogFileOptions(path: "/nowhere/at/all.log")).open()
        }
    }
}
