internal import Glibc
import Testing
import TestSupport

/// `millrace check` on the files of a service, running or not.
@Suite(.processes) struct CheckTests {
    private struct Result {
        var status: ProcessEnding?
        var text: String
    }

    /// - Parameter wrapper: a command and its arguments to put in front.
    private func check(_ service: RunningService, wrapper: [String] = []) throws -> Result {
        let output = service.directory.file("check")
        unlink(output)
        let process = try ChildProcess(
            wrapper + [try MillraceBinary.path(), "check", "--data-dir", service.dataDirectory],
            output: output, errors: output)
        let status = process.exit(within: .seconds(60))
        return Result(
            status: status, text: FileSystem.text(output))
    }

    private func filled() throws -> RunningService {
        let service = try RunningService.start()
        for _ in 0..<3 { _ = try service.post("/events?ack=stored", json: #"[{"type":"a"},{}]"#) }
        return service
    }

    @Test func `sound files are counted, while the service runs, after a crash, and at rest`()
        throws
    {
        let service = try filled()
        let running = try check(service)
        #expect(running.status == .exited(0), "\(running.text)")
        #expect(running.text.contains("ok      store: 3 events, 3 in quarantine"))
        service.kill()
        let before = DamagedFile.contents(of: service.dataDirectory)
        let crashed = try check(service)
        #expect(crashed.status == .exited(0), "\(crashed.text)")
        // The journal may have let go of what is stored, but keeps the segment it writes to.
        #expect(crashed.text.contains(/journal: [12] segments, [123] records, [123] events/))
        #expect(crashed.text.contains("ok      store: 3 events, 3 in quarantine"))
        let after = DamagedFile.contents(of: service.dataDirectory)
        #expect(
            after.filter { $0.key != "store.db-shm" } == before.filter { $0.key != "store.db-shm" })
        #expect(try service.startAgain().terminate() == .exited(0))
        let rest = try check(service)
        #expect(
            rest.status == .exited(0) && rest.text.contains("ok      journal: "), "\(rest.text)")
    }

    @Test func `a new directory has nothing to check`() throws {
        let service = try RunningService.start()
        #expect(try service.terminate() == .exited(0))
        for name in ["store.db", "store.db-wal", "store.db-shm"] {
            unlink(service.dataDirectory + "/" + name)
        }
        let result = try check(service)
        #expect(result.status == .exited(0) && result.text.contains("store: there is none yet"))
    }

    @Test func `damage in the journal and in the store are both named`() throws {
        let service = try RunningService.start()
        for index in 0..<10 {
            _ = try service.post("/events", json: #"{"type":"a","id":"check-\#(index)"}"#)
        }
        service.kill()
        let segments = FileSystem.names(in: service.dataDirectory + "/journal")
            .map { DamagedFile(service.dataDirectory + "/journal/" + $0) }
        let file = try #require(segments.first { $0.offset(of: "check-5") != nil })
        try file.flip(at: try #require(file.offset(of: "check-5")))
        let store = DamagedFile(service.dataDirectory + "/store.db")
        try store.replace(with: [UInt8](repeating: 0x5A, count: 20_000))
        let result = try check(service)
        #expect(result.status == .exited(1), "\(result.text)")
        #expect(result.text.contains("failed  journal: 1 damaged"), "\(result.text)")
        #expect(result.text.contains("failed  store: "), "\(result.text)")
    }

    @Test(.enabled(if: FaultInjector.isPossible, "\(FaultInjector.whyNot)"))
    func `a disk that cannot read the end of a segment is said, and nothing is changed`() throws {
        let service = try RunningService.start()
        _ = try service.post("/events", json: #"{"type":"a","id":"check-1"}"#)
        service.kill()
        let before = DamagedFile.contents(of: service.dataDirectory)
        let sound = try check(service)
        #expect(sound.status == .exited(0), "\(sound.text)")
        let folder = service.dataDirectory + "/journal/"
        let name = try #require(
            FileSystem.names(in: folder).first {
                DamagedFile(folder + $0).offset(of: "check-1") != nil
            })
        // The header and the records can be read.
        let result = try check(
            service,
            wrapper: [
                "strace", "-f", "-qq", "-o", "/dev/null", "-P", folder + name, "-e",
                "trace=pread64",
                "-e", "inject=pread64:error=EIO:when=3+",
            ])
        #expect(result.status == .exited(1), "\(result.text)")
        let said = "missing records; the disk cannot read all of: \(name)"
        #expect(result.text.contains("failed  journal: 0 damaged and 0 \(said)"), "\(result.text)")
        #expect(try check(service).text == sound.text)
        let after = DamagedFile.contents(of: service.dataDirectory)
        #expect(
            after.filter { $0.key != "store.db-shm" } == before.filter { $0.key != "store.db-shm" })
    }
}
