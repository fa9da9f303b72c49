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

    @Test func `a file that cannot be opened anew is not written on`() throws {
        let directory = try TemporaryDirectory()
        let folder = directory.file("logs")
        #expect(mkdir(folder, 0o700) == 0)
        let file = LogFile(LogFileOptions(path: folder + "/millrace.log"))
        try file.open()
        func write(_ line: String) throws { try Array(line.utf8).withUnsafeBytes(file.write) }
        try write("one\n")
        #expect(rename(folder, directory.file("moved")) == 0)
        file.reopen()
        for _ in 0..<3 { #expect(throws: LogSinkError.self) { try write("two\n") } }
        #expect(mkdir(folder, 0o700) == 0)
        try write("three\n")
        #expect(try directory.read("moved/millrace.log") == Array("one\n".utf8))
        #expect(try directory.read("logs/millrace.log") == Array("three\n".utf8))
    }

    @Test func `a line that a killed process left half is ended before the next one`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("millrace.log", #"{"message":"whole"}"# + "\n" + #"{"mess"#)
        let file = LogFile(LogFileOptions(path: directory.file("millrace.log")))
        try file.open()
        try Array("next\n".utf8).withUnsafeBytes { try file.write($0) }
        let text = String(decoding: try directory.read("millrace.log"), as: UTF8.self)
        #expect(text.split(separator: "\n").dropFirst() == [#"{"mess"#, "next"])
    }

    @Test(.enabled(if: SmallDisk.isPossible, "\(SmallDisk.whyNot)"))
    func `the rest of a line that a full disk cut goes where its beginning is`() throws {
        let disk = try SmallDisk(bytes: 256 << 10)
        let (path, moved) = (disk.path + "/millrace.log", disk.path + "/moved")
        let file = LogFile(LogFileOptions(path: path, maxBytes: 30_000))
        try file.open()
        func write(_ bytes: some Sequence<UInt8>) throws {
            try Array(bytes).withUnsafeBytes { try file.write($0) }
        }
        try write("first\n".utf8)
        try disk.fill()
        let line = Array((String(repeating: "x", count: 20_000) + "\n").utf8)
        var written = 0
        do { try write(line) } catch let error as LogSinkError { written = error.written }
        #expect(written > 0 && written < line.count)
        #expect(rename(path, moved) == 0)
        file.reopen()
        disk.makeRoom()
        try write(line[written...])
        try write("last\n".utf8)
        #expect(FileSystem.read(moved) == Array("first\n".utf8) + line)
        #expect(FileSystem.read(path) == Array("last\n".utf8))
    }

    @Test func `a file that cannot be opened is said to be so`() {
        #expect(throws: LogSinkError.self) {
            try LogFile(LogFileOptions(path: "/nowhere/at/all.log")).open()
        }
    }
}
