internal import Glibc
import Testing
import TestSupport

extension FaultTests {
    /// Writes and syncs that fail: nothing is acknowledged that is not safe.
    @Suite(.enabled(if: FaultInjector.isPossible, "\(FaultInjector.whyNot)"))
    struct FailingDiskTests {
        @Test(arguments: ["fdatasync:error=EIO", "pwrite64,pwritev:error=EIO"])
        func `while nothing can be made safe nothing is acknowledged`(rule: String) throws {
            let service = try RunningService.start()
            #expect(try service.post("/events", json: event("before")).status == 202)
            let injector = try FaultInjector(service, rule)
            for index in 0..<20 {
                let reply = try service.post("/events?timeout_ms=1", json: event("never-\(index)"))
                #expect(reply.status == 503, "\(reply.text)")
                #expect(reply.header("Retry-After") != nil)
            }
            #expect(try service.get("/readyz").status == 503)
            #expect(try service.get("/healthz").status == 200)
            #expect(injector.injected > 0)
            try injector.stop()
            try service.wait(until: "events are taken again") {
                try service.post("/events", json: event("after")).status == 202
            }
            // A store whose sync failed is not trusted again before it has been opened anew.
            service.kill()
            let successor = try service.startAgain()
            try successor.wait(until: "it is ready") {
                try successor.get("/readyz").status == 200
            }
            try successor.waitUntilAllIsStored()
            let ids = try successor.storedIDs()
            #expect(Set(ids).isSuperset(of: ["before", "after"]) && Set(ids).count == ids.count)
            print("\(rule): \(injector.injected) calls failed, stored \(ids.sorted())")
        }

        private func event(_ id: String) -> String {
            #"{"id":"\#(id)","type":"t","source":"/t"}"#
        }

        @Test(arguments: [
            "fdatasync:error=EIO:when=2+5", "pwrite64,pwritev:error=EIO:when=3+7",
            "pwrite64,pwritev:error=ENOSPC:when=2+3", "fdatasync,fsync:error=ENOSPC:when=1+4",
            "ftruncate,fallocate:error=ENOSPC", "unlink,unlinkat,rename,renameat2:error=EIO",
        ])
        func `calls that fail now and then cost no acknowledged event`(rule: String) throws {
            var random = SeededGenerator.printingSeed(rule)
            let service = try RunningService.start(["--journal-max-bytes", "32MiB"])
            let injector = try FaultInjector(service, rule)
            let load = EventLoad(on: service, clients: 6, prefix: "f", seed: random.next())
            usleep(FaultForm.pick(short: 1_500_000, long: 10_000_000))
            service.kill()
            load.join()
            let successor = try service.startAgain()
            try successor.waitUntilAllIsStored()
            let accounting = Accounting(
                acknowledged: load.acknowledged, sent: load.sent,
                stored: try successor.storedIDs())
            print("\(rule): \(injector.injected) calls failed; \(load.statuses); \(accounting)")
            #expect(accounting.isRight, "\(accounting)")
            #expect(Set(load.statuses.keys).isSubset(of: [202, 503]))
            #expect(try successor.terminate() == .exited(0))
        }
    }
}
