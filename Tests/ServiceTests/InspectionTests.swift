import Glibc
import TestSupport
import Testing

@testable import Service

@Suite(.blocking) struct InspectionTests {
    private func inspect(_ directory: String) throws -> [Inspection.Finding] {
        Inspection.run(try Configuration.load(flags: ["data-dir": directory]))
    }

    @Test func `a directory that can be written is well`() throws {
        let found = try inspect("/tmp")
        #expect(found.first == .init("data directory", .ok, "/tmp is writable"))
    }

    @Test(arguments: [
        "/tmp/millrace-absent", "/tmp/millrace-absent/a/b/", "/tmp//millrace-absent//",
    ])
    func `one that can be made is well, and is not made`(path: String) throws {
        #expect(try inspect(path).first?.verdict == .ok)
        #expect(access("/tmp/millrace-absent", F_OK) != 0)
    }

    @Test func `a file in its place is not`() throws {
        let file = try TemporaryFile("")
        #expect(
            try file.use(inspect)
                == [.init("data directory", .failed, "\(file.path) is not a directory")])
        #expect(try file.use { try inspect($0 + "/data") }.first?.verdict == .failed)
    }

    @Test(.enabled(if: SmallDisk.isPossible, "\(SmallDisk.whyNot)"))
    func `a file system that is mounted read-only is told from missing rights`() throws {
        let disk = try SmallDisk(bytes: 1 << 20)
        let flags = UInt(MS_REMOUNT) | UInt(MS_RDONLY)
        #expect(mount("tmpfs", disk.path, "tmpfs", flags, "size=1m") == 0)
        let detail = "\(disk.path) is on a file system that is mounted read-only"
        #expect(try inspect(disk.path) == [.init("data directory", .failed, detail)])
    }

    private func inspectLog(_ path: String) throws -> Inspection.Finding? {
        Inspection.run(try Configuration.load(flags: ["data-dir": "/tmp", "log-file": path]))
            .first { $0.part == "log file" }
    }

    @Test func `a log file is looked at as a start opens it, and is not made`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("millrace.log")
        let absent = Inspection.Finding("log file", .ok, "\(path) will be made at the start")
        #expect(try inspectLog(path) == absent)
        #expect(access(path, F_OK) != 0)
        try directory.write("millrace.log", "a line\n")
        #expect(try inspectLog(path) == .init("log file", .ok, "\(path) is writable"))
        #expect(FileSystem.text(path) == "a line\n")
        for wrong in ["/nonexistent/x.log", directory.path, path + "/x.log"] {
            #expect(try inspectLog(wrong)?.verdict == .failed, "\(wrong)")
        }
        #expect(try inspect("/tmp").contains { $0.part == "log file" } == false)
    }

    @Test func `an address that this machine does not have is told, and a taken port is not`()
        throws
    {
        func found(_ host: String, _ port: String) throws -> Inspection.Finding? {
            Inspection.run(
                try Configuration.load(
                    flags: [
                        "data-dir": "/tmp", "host": host, "port": port, "insecure-no-auth": "true",
                    ])
            ).first { $0.part == "address" }
        }
        // Of the block for documentation (RFC 5737), which no machine has.
        #expect(try found("192.0.2.1", "0")?.verdict == .failed)
        #expect(try found("127.0.0.1", "0") == nil)
        let taken = try Receiver()
        #expect(try found("127.0.0.1", "\(taken.port)") == nil)
    }

    @Test func `less room than the journal may take is worth a warning`() throws {
        let found = Inspection.run(
            try Configuration.load(flags: ["data-dir": "/tmp", "journal-max-bytes": "1024GiB"]))
        #expect(found.map(\.verdict) == [.ok, .warning, .ok, .ok, .ok])
    }

    @Test(arguments: [
        (64, 48), (1024, 768), (4096, 3840), (20_000, 4096), (3, 3), (0, 1),
    ])
    func `connections leave some of the open files to the data`(limit: Int, room: Int) {
        #expect(DescriptorLimit.connections(4096, limit: limit) == room)
    }

    @Test func `what builds on a failed part is not looked at`() throws {
        let found = Inspection.run(
            try Configuration.load(),
            steps: [
                { _ in [.init("a", .warning, "x")] }, { _ in [.init("b", .failed, "y")] },
                { _ in [.init("c", .ok, "z")] },
            ])
        #expect(found.map(\.description) == ["warning a: x", "failed  b: y"])
    }
}
