internal import Glibc
import Primitives
import TestSupport
import Testing

extension FaultTests {
    /// Redis fails in every way it can, and no client that posts notices.
    @Suite struct StreamFaultTests {
        private func load(_ service: RunningService, _ prefix: String) -> EventLoad {
            EventLoad(
                on: service, clients: 4, prefix: prefix, seed: 7, pause: .milliseconds(2),
                subjects: 20)
        }

        /// Lets a load run until it has had so many more answers.
        private func more(
            _ load: EventLoad, _ service: RunningService, _ count: Int = 500
        ) throws {
            let goal = load.acknowledgedCount + count
            try service.wait(until: "\(count) more events are taken") {
                load.acknowledgedCount >= goal
            }
        }

        /// What must hold after every fault.
        private func check(_ load: EventLoad, _ service: RunningService, _ what: String) throws {
            let accounting = try service.account(for: load)
            print("\(what): \(accounting); p99 \(load.p99)")
            #expect(accounting.isRight, "\(what): \(accounting)")
            #expect(load.statuses.keys.allSatisfy { $0 == 202 }, "\(load.statuses)")
            #expect(load.unanswered == 0)
            #expect(try service.breakers() == ["closed", "closed"])
            #expect(try service.terminate() == .exited(0))
            #expect(service.errors.isEmpty)
        }

        @Test(arguments: [false, true])
        func `Redis is killed and comes back`(withData: Bool) throws {
            let redis = try RedisProcess(
                withData ? ["--appendonly", "yes", "--appendfsync", "always"] : [])
            let service = try RunningService.start(redis: redis.url)
            let load = load(service, "k")
            try more(load, service)
            redis.kill()
            let killed = MonotonicTime.now()
            try service.waitUntilStreamsAre("open", within: .seconds(5))
            print("open after \(MonotonicTime.now().since(killed))")
            try more(load, service)
            // New events stay queryable meanwhile.
            let reply = try service.post(
                "/events?ack=stored&timeout_ms=20000",
                json: #"{"id":"k-meanwhile","type":"load","source":"/load"}"#)
            #expect(reply.status == 200)
            try redis.start(withData: withData)
            let back = MonotonicTime.now()
            try service.waitUntilStreamsAre("ok", within: .seconds(20))
            print("ok after \(MonotonicTime.now().since(back))")
            try more(load, service)
            load.stop()
            try service.waitUntilStreamsAreDrained()
            // What Redis lost, or never had, was sent to it in the end.
            for key in RedisProcess.keys() {
                try redis.command("XGROUP", "CREATE", key, "late", "0")
            }
            let stored = try service.storedIDs()
            #expect(Set(stored) == load.acknowledged.union(["k-meanwhile"]))
            #expect(stored.count == Set(stored).count)
            #expect(load.statuses.keys.allSatisfy { $0 == 202 })
            let losses = try service.status("stream", "forwarder", "losses")?.integer ?? -1
            #expect(withData ? losses == 0 : losses >= 1)
            #expect(try service.terminate() == .exited(0))
        }

        @Test func `Redis is stopped and goes on`() throws {
            let redis = try RedisProcess()
            let service = try RunningService.start(redis: redis.url)
            let before = load(service, "b")
            try more(before, service, 1000)
            before.stop()
            redis.pause()
            let paused = MonotonicTime.now()
            let during = load(service, "d")
            try service.waitUntilStreamsAre("open", within: .seconds(5))
            print("open after \(MonotonicTime.now().since(paused))")
            try more(during, service, 1000)
            redis.resume()
            try service.waitUntilStreamsAre("ok", within: .seconds(40))
            during.stop()
            print("p99 before \(before.p99), while Redis hung \(during.p99)")
            try service.waitUntilStreamsAreDrained()
            let accounting = Accounting(
                acknowledged: before.acknowledged.union(during.acknowledged),
                sent: before.sent.union(during.sent), stored: try service.storedIDs())
            #expect(accounting.isRight, "\(accounting)")
            #expect(during.statuses.keys.allSatisfy { $0 == 202 })
            #expect(try service.terminate() == .exited(0))
        }

        @Test(arguments: [
            ("reset", FaultProxy.Fault.reset),
            ("slow", .delay(.milliseconds(600))),
            ("trickling", .trickle(.milliseconds(20))),
            ("garbage", .garbage("HTTP/1.1 400 Bad Request\r\n\r\n")),
            ("half-closed", .halfClose),
            ("loading", .script(FaultReply.all("-LOADING Redis is loading the dataset in memory"))),
            (
                "read-only",
                .script(FaultReply.all("-READONLY You can't write against a read only replica."))
            ),
            (
                "out of memory",
                .script(FaultReply.all("-OOM command not allowed when used memory > 'maxmemory'."))
            ),
            (
                "misconfigured",
                .script(FaultReply.all("-MISCONF Redis is configured to save RDB snapshots"))
            ),
        ])
        func `the way to Redis is bad`(_ name: String, _ fault: FaultProxy.Fault) throws {
            let redis = try RedisProcess()
            let proxy = try FaultProxy(to: redis.port)
            defer { proxy.stop() }
            let service = try RunningService.start(redis: "redis://127.0.0.1:\(proxy.port)")
            let load = load(service, "p")
            try more(load, service)
            proxy.set(fault)
            let began = MonotonicTime.now()
            try service.waitUntilStreamsAre("open", within: .seconds(10))
            print("\(name): open after \(MonotonicTime.now().since(began))")
            try more(load, service)
            proxy.set(.none)
            try service.waitUntilStreamsAre("ok", within: .seconds(40))
            try more(load, service)
            try check(load, service, name)
        }

        @Test func `a real Redis is full, and has room again`() throws {
            let redis = try RedisProcess()
            let service = try RunningService.start(redis: redis.url)
            let load = load(service, "o")
            try more(load, service)
            try redis.command("CONFIG", "SET", "maxmemory", "1")
            try service.waitUntilStreamsAre("open", within: .seconds(10))
            try more(load, service)
            try redis.command("CONFIG", "SET", "maxmemory", "0")
            try service.waitUntilStreamsAre("ok", within: .seconds(40))
            try check(load, service, "OOM")
        }

        @Test(arguments: ["flush", "destroy"])
        func `somebody takes the streams or the group away`(what: String) throws {
            let redis = try RedisProcess()
            let service = try RunningService.start(redis: redis.url)
            let load = load(service, "f")
            for _ in 0..<3 {
                try more(load, service, 300)
                if what == "flush" {
                    try redis.command("FLUSHALL")
                } else {
                    for key in RedisProcess.keys() {
                        try redis.command("XGROUP", "DESTROY", key, "n1")
                    }
                }
            }
            try more(load, service, 300)
            load.stop()
            try service.waitUntilStreamsAreDrained()
            if what == "flush" {
                #expect(try service.status("stream", "forwarder", "losses")?.integer ?? 0 >= 1)
            }
            try check(load, service, what)
        }

        @Test func `killed with entries pending, another process of the group takes them over`()
            throws
        {
            let redis = try RedisProcess()
            let first = try RunningService.start(
                redis: redis.url, node: "first", ["--group", "store"])
            let load = EventLoad(on: first, clients: 6, prefix: "t", seed: 3, subjects: 20)
            try more(load, first, 3000)
            first.kill()
            load.join()
            let streamed = Set(try redis.values(of: "id"))
            let second = try RunningService.start(
                redis: redis.url, node: "second",
                ["--group", "store", "--stream-claim-after", "300ms"])
            try second.wait(until: "nothing is pending and nothing unread") {
                let status = try second.get("/status").json()["stream"]
                return status?["pending"]?.integer == 0 && status?["lag"]?.integer == 0
            }
            // Each entry is in one of the two stores of the group, and the first has its own.
            let again = try first.startAgain()
            try again.waitUntilAllIsStored()
            let ids = Set(try again.storedIDs()).union(try second.storedIDs())
            #expect(streamed.isSubset(of: ids))
            #expect(load.acknowledged.isSubset(of: ids))
            #expect(Set(try again.storedIDs()).isSuperset(of: load.acknowledged) || !ids.isEmpty)
            #expect(try again.terminate() == .exited(0))
            #expect(try second.terminate() == .exited(0))
        }

        @Test func `killed again and again with a Redis, it keeps everything once`() throws {
            let redis = try RedisProcess()
            var service = try RunningService.start(redis: redis.url)
            var sent: Set<String> = []
            var acknowledged: Set<String> = []
            for round in 0..<FaultForm.pick(short: 4, long: 40) {
                let load = EventLoad(
                    on: service, clients: 4, prefix: "r\(round)", seed: UInt64(round), subjects: 9)
                try more(load, service, 200)
                service.kill()
                load.join()
                sent.formUnion(load.sent)
                acknowledged.formUnion(load.acknowledged)
                service = try service.startAgain()
            }
            try service.waitUntilStreamsAreDrained()
            let accounting = Accounting(
                acknowledged: acknowledged, sent: sent, stored: try service.storedIDs())
            #expect(accounting.isRight, "\(accounting)")
            #expect(try service.terminate() == .exited(0))
        }

        @Test func `an outage longer than the journal holds is made up for from the store`() throws
        {
            let redis = try RedisProcess()
            for key in RedisProcess.keys() {
                try redis.command("XGROUP", "CREATE", key, "stranger", "0", "MKSTREAM")
            }
            let service = try RunningService.start(
                redis: redis.url, ["--journal-max-bytes", "64MiB"])
            let load = load(service, "g")
            try more(load, service, 200)
            redis.pause()
            // More than the whole journal can hold.
            let filler = String(repeating: "x", count: 200_000)
            var ids: Set<String> = []
            let connection = try service.connect()
            for number in 0..<FaultForm.pick(short: 450, long: 1500) {
                usleep(5000)
                let id = "big-\(number)"
                try connection.send(
                    "POST", "/events", headers: ["Content-Type": "application/json"],
                    body: Array(
                        #"{"id":"\#(id)","type":"big","source":"/b","data":"\#(filler)"}"#.utf8))
                let reply = try connection.receive()
                #expect(reply.status == 202)
                ids.insert(id)
            }
            #expect(try service.status("stream", "forwarder", "gaps")?.integer ?? 0 >= 1)
            redis.resume()
            load.stop()
            try service.waitUntilStreamsAreDrained()
            let all = load.acknowledged.union(ids)
            #expect(Set(try service.storedIDs()) == all)
            #expect(Set(try redis.readAll(group: "stranger")) == all)
            #expect(load.statuses.keys.allSatisfy { $0 == 202 })
            #expect(try service.terminate() == .exited(0))
        }
    }
}

/// Replies of the fault proxy.
enum FaultReply {
    /// The same error to everything that the streams need.
    static func all(_ error: String) -> [String: String] {
        let names = [
            "PING", "ROLE", "INFO", "XADD", "XREADGROUP", "XACK", "XINFO", "XPENDING", "XGROUP",
            "XAUTOCLAIM", "XTRIM", "MEMORY",
        ]
        return Dictionary(uniqueKeysWithValues: names.map { ($0, error + "\r\n") })
    }
}
