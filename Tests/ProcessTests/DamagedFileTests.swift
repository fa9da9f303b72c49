internal import Glibc
import Testing
import TestSupport

extension FaultTests {
    /// Files that were damaged while nobody ran: it starts, says so, and serves the rest.
    @Suite struct DamagedFileTests {
        /// A killed service whose journal alone holds 300 events, each in a record of its own:
        /// `event-0` … `event-299`.
        private func journalOnly() throws -> RunningService {
            let service = try RunningService.start()
            let blocker = try StoreBlocker(service)
            let connection = try service.connect()
            for index in 0..<300 {
                try connection.send(
                    "POST", "/events", headers: ["Content-Type": "application/json"],
                    body: Array(#"{"id":"event-\#(index)","type":"journaled","source":"/d"}"#.utf8))
                #expect(try connection.receive().status == 202)
            }
            service.kill()
            blocker.release()
            return service
        }

        /// The segment that holds `text`; the first few events are in one of their own.
        private func segment(_ service: RunningService, with text: String) throws -> DamagedFile {
            let folder = service.dataDirectory + "/journal/"
            let files = FileSystem.names(in: folder).map { DamagedFile(folder + $0) }
            return try #require(files.first { $0.offset(of: text) != nil })
        }

        @Test func `a flipped bit in the journal costs the record it is in`() throws {
            let service = try journalOnly()
            let file = try segment(service, with: "event-150")
            try file.flip(at: try #require(file.offset(of: "event-150")))
            let successor = try service.startAgain()
            try successor.waitUntilAllIsStored()
            let ids = Set(try successor.storedIDs())
            #expect(ids.count == 299 && !ids.contains("event-150"), "\(ids.count)")
            let damage = try successor.get("/status").json()["journal"]?["damage"]
            #expect(damage?["damaged_records"] == .integer(1), "\(String(describing: damage))")
            #expect(damage?["set_aside"]?.array?.isEmpty == false)
            #expect(
                successor.records.contains { $0["message"] == .string("the journal is damaged") })
            try expectToServe(successor, count: 300)
            print("flipped bit in the journal: 299 of 300 events served")
        }

        @Test func `a journal that was cut keeps what is before the cut`() throws {
            let service = try journalOnly()
            let file = try segment(service, with: "event-200")
            try file.truncate(to: try #require(file.offset(of: "event-200")))
            let successor = try service.startAgain()
            try successor.waitUntilAllIsStored()
            #expect(Set(try successor.storedIDs()) == Set((0..<200).map { "event-\($0)" }))
            try expectToServe(successor, count: 201)
            print("cut journal: the 200 events before the cut served")
        }

        @Test(arguments: [0, 20, 100])
        func `a damaged header of a segment does not keep it from starting`(offset: Int) throws {
            let service = try journalOnly()
            try segment(service, with: "event-200").flip(at: offset)
            let successor = try service.startAgain()
            try successor.waitUntilAllIsStored()
            let count = try successor.storedCount()
            print("flipped bit at \(offset) of a segment: \(count) of 300 events served")
            try expectToServe(successor, count: count + 1)
        }

        @Test func `a store whose log was lost or damaged gets everything from the journal`() throws
        {
            for damage in ["cut", "flipped", "removed"] {
                let service = try RunningService.start()
                let log = AccessLog(count: 2000)
                _ = try service.post(
                    "/events?ack=stored", log.ndjson, type: "application/x-ndjson")
                service.kill()
                let file = DamagedFile(service.dataDirectory + "/store.db-wal")
                switch damage {
                case "cut": try file.truncate(to: file.count / 2)
                case "flipped": try file.flip(at: file.count / 2)
                default: unlink(file.path)
                }
                let successor = try service.startAgain()
                try successor.waitUntilAllIsStored()
                #expect(Set(try successor.storedIDs()) == Set(log.ids), "\(damage)")
                try expectToServe(successor, count: 2001)
            }
            print("cut, flipped and removed write-ahead logs: all 2000 events back")
        }

        @Test(arguments: ["header", "page", "garbage", "empty", "removed"])
        func `a damaged store is set aside, said, and replaced`(damage: String) throws {
            let service = try RunningService.start()
            let log = AccessLog(count: 2000)
            _ = try service.post("/events?ack=stored", log.ndjson, type: "application/x-ndjson")
            #expect(try service.terminate() == .exited(0))
            let file = DamagedFile(service.dataDirectory + "/store.db")
            switch damage {
            case "header": try file.flip(at: 3)
            case "page": for offset in 4096..<8192 { try file.flip(at: offset) }
            case "garbage": try file.replace(with: [UInt8](repeating: 0x5A, count: 100_000))
            case "empty": try file.truncate(to: 0)
            default: unlink(file.path)
            }
            let successor = try service.startAgain()
            let isSaid = successor.records.contains {
                $0["message"] == .string("damaged store set aside")
            }
            let aside = try successor.get("/status").json()["store"]?["set_aside"]?.array ?? []
            #expect(isSaid == !aside.isEmpty)
            #expect(!isSaid || !["empty", "removed"].contains(damage))
            #expect(isSaid || !["header", "garbage"].contains(damage))
            try successor.waitUntilAllIsStored()
            let count = try successor.get("/query?metric=count&from=1971-01-01")
            print(
                "store.db \(damage): said \(isSaid), set aside \(aside.count) files, \(count.status)"
            )
            #expect(
                try successor.post("/events?ack=stored", json: #"{"type":"after"}"#).status == 200)
            #expect(try successor.get("/readyz").status == 200)
            #expect(try successor.terminate() == .exited(0))
        }

        /// It takes another event, and counts them all.
        private func expectToServe(_ service: RunningService, count: Int) throws {
            try service.wait(until: "it is ready") { try service.get("/readyz").status == 200 }
            #expect(
                try service.post("/events?ack=stored", json: #"{"type":"after"}"#).status == 200)
            #expect(try service.storedCount() == count)
            #expect(try service.terminate() == .exited(0))
        }
    }
}
