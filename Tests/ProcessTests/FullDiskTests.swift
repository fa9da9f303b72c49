internal import Glibc
import Primitives
import Testing
import TestSupport

extension FaultTests {
    /// No room: nothing is taken, nothing is lost, and it goes on by itself.
    @Suite(.long) struct FullDiskTests {
        @Test(.enabled(if: SmallDisk.isPossible, "\(SmallDisk.whyNot)"))
        func `a full disk refuses events until there is space again`() throws {
            let disk = try SmallDisk(bytes: 64 << 20)
            let service = try RunningService.start(
                ["--journal-max-bytes", "32MiB"], dataDirectory: disk.path + "/data")
            var book = Book()
            try book.post(200, to: service)
            try disk.fill()
            try expectRefusal(service, &book)
            disk.makeRoom()
            try expectRecovery(service, &book)
            try disk.fill()
            try expectRefusal(service, &book)
            // Nor does a crash on a full disk cost anything.
            service.kill()
            disk.makeRoom()
            let successor = try service.startAgain()
            try expectRecovery(successor, &book)
            print("full disk: \(try book.account(successor)), \(book.refused) requests refused")
            #expect(try successor.terminate() == .exited(0))
        }

        @Test(.enabled(if: SmallDisk.isPossible, "\(SmallDisk.whyNot)"))
        func `events that fill the disk themselves are refused in time`() throws {
            let disk = try SmallDisk(bytes: 48 << 20)
            let service = try RunningService.start(dataDirectory: disk.path + "/data")
            var book = Book()
            try expectRefusal(service, &book)
            #expect(book.acknowledged.count > 1000)
            // What has been taken can still be read, and the rest may still be on its way.
            #expect(try service.get("/events?limit=1").status == 200)
            #expect(mount("tmpfs", disk.path, "tmpfs", UInt(MS_REMOUNT), "size=256m") == 0)
            try expectRecovery(service, &book)
            print("disk filled by events: \(try book.account(service))")
        }

        @Test func `a journal at its cap refuses events until the store has caught up`() throws {
            let service = try RunningService.start(["--journal-max-bytes", "32MiB"])
            var book = Book()
            try book.post(10, to: service)
            let blocker = try StoreBlocker(service)
            let problem = try book.postUntilRefused(service)
            #expect(problem["code"] == .string("journal_full"))
            #expect(try service.get("/status").json()["journal"]?["state"] == .string("full"))
            try expectNotReady(service)
            // What comes again as a whole is not kept as refused.
            let filler = String(repeating: "x", count: 1000)
            let mixed = (0..<200).map { _ in #"{"type":"fill","x":"\#(filler)"}"# } + ["{}", "{}"]
            #expect(try service.post("/events", lines: mixed).status == 503)
            blocker.release()
            try expectRecovery(service, &book)
            let store = try service.get("/status").json()["store"]
            #expect(store?["quarantine"]?["rows"]?.integer == 0)
            print("journal at its cap: \(try book.account(service))")
        }

        @Test func `a data directory that cannot be written is a clear refusal to start`() throws {
            let folder = try TemporaryDirectory()
            let (output, errors) = (folder.file("out"), folder.file("err"))
            for place in ["/proc/millrace", "/dev/null/data"] {
                let process = try ChildProcess(
                    [try MillraceBinary.path(), "serve", "--port", "0", "--data-dir", place],
                    output: output, errors: errors)
                let status = process.exit(within: .seconds(30))
                let said = [output, errors].map(FileSystem.text).joined()
                #expect(status != nil && status != .exited(0), "\(place)")
                #expect(said.contains(place) && said.contains("cannot start"), "\(said)")
                #expect(said.contains("--data-dir"), "\(said)")
            }
        }

        private func expectRefusal(_ service: RunningService, _ book: inout Book) throws {
            let problem = try book.postUntilRefused(service)
            let code = problem["code"]?.string ?? ""
            #expect(["journal_full", "journal_unwritable"].contains(code), "\(code)")
            try expectNotReady(service)
            #expect(try service.get("/healthz").status == 200)
        }

        private func expectNotReady(_ service: RunningService) throws {
            try service.wait(until: "not ready", within: .seconds(10)) {
                let ready = try service.get("/readyz")
                return try ready.status == 503
                    && ready.json()["status"] == .string("not_ready")
                    && ready.header("Retry-After") != nil
            }
        }

        private func expectRecovery(_ service: RunningService, _ book: inout Book) throws {
            try service.wait(until: "it is ready again", within: .seconds(30)) {
                try service.get("/readyz").status == 200
            }
            try service.wait(until: "events are taken again") {
                try book.post(1, to: service) == 202
            }
            try service.waitUntilAllIsStored()
            #expect(try book.account(service).isRight)
        }
    }
}

/// Who posts what, one request after the other, and what came of it.
private struct Book {
    var sent: Set<String> = []
    var acknowledged: Set<String> = []
    var refused = 0

    /// - Returns: the status of the last reply.
    @discardableResult
    mutating func post(_ count: Int, to service: RunningService) throws -> Int {
        var status = 0
        for _ in 0..<count { status = try postBatch(to: service, eventBytes: 100).status }
        return status
    }

    /// Posts until it is refused, and checks the refusal.
    mutating func postUntilRefused(_ service: RunningService) throws -> JSONTree {
        let deadline = Deadline.after(.seconds(60))
        while !deadline.hasPassed {
            let reply = try postBatch(to: service, eventBytes: 1000)
            if reply.status == 202 { continue }
            #expect(reply.status == 503, "\(reply.text)")
            #expect(reply.header("Content-Type") == "application/problem+json")
            #expect(Int(reply.header("Retry-After") ?? "") ?? 0 >= 1)
            return try reply.json()
        }
        throw TestError("never refused; \(acknowledged.count) events were taken")
    }

    private mutating func postBatch(
        to service: RunningService, eventBytes: Int
    ) throws -> ClientReply {
        let filler = String(repeating: "x", count: eventBytes)
        let ids = (0..<100).map { "e\(sent.count + $0)" }
        let lines = ids.map { #"{"id":"\#($0)","type":"fill","source":"/f","x":"\#(filler)"}"# }
        sent.formUnion(ids)
        let reply = try service.post("/events", lines: lines)
        if reply.status == 202 { acknowledged.formUnion(ids) } else { refused += 1 }
        return reply
    }

    func account(_ service: RunningService) throws -> Accounting {
        Accounting(acknowledged: acknowledged, sent: sent, stored: try service.storedIDs())
    }
}
