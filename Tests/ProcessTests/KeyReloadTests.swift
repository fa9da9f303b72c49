internal import Glibc
import Primitives
import TestSupport
import Testing

/// The keys file of a running service, and what becomes of secrets.
@Suite(.processes) struct KeyReloadTests {
    private func works(_ key: PlantedKey, _ keyed: KeyedService) throws -> Bool {
        try keyed.get("/metrics", key).status == 200
    }

    private func allFiles(below folder: String) -> [String] {
        FileSystem.names(in: folder).flatMap { name -> [String] in
            let path = folder + "/" + name
            let inner = allFiles(below: path)
            return inner.isEmpty ? [path] : inner
        }
    }

    @Test func `keys come and go with the file while requests are answered`() throws {
        let keyed = try KeyedService([.admin])
        #expect(try !works(.query, keyed))
        try keyed.write(PlantedKey.admin.yaml + PlantedKey.query.yaml)
        try keyed.service.wait(until: "the new key works") { try works(.query, keyed) }
        try keyed.write(PlantedKey.admin.yaml)
        try keyed.service.wait(until: "the key is gone") { try !works(.query, keyed) }
        #expect(try works(.admin, keyed))
    }

    @Test func `SIGHUP reads the file again and ends nothing`() throws {
        let keyed = try KeyedService([.admin])
        let before = try keyed.status()["keys"]?["reloads"]?.integer ?? 0
        keyed.service.send(SIGHUP)
        try keyed.service.wait(until: "it was read") {
            try keyed.status()["keys"]?["reloads"]?.integer ?? 0 > before
        }
        #expect(try keyed.service.terminate() == .exited(0))
    }

    @Test func `a broken file is told and the last good keys go on to hold`() throws {
        let keyed = try KeyedService([.admin, .query])
        try keyed.write(PlantedKey.admin.yaml + "- name: broken\n  sha256: short\n")
        try keyed.service.wait(until: "the error is in /status") {
            try keyed.status()["keys"]?["error"]?.string != nil
        }
        let keys = try keyed.status()["keys"]
        #expect(keys?["error"]?.string?.contains("keys.yaml:6: sha256 is 64 hexadecimal") == true)
        #expect(keys?["count"]?.integer == 2)
        #expect(try works(.query, keyed))
        try keyed.service.wait(until: "the log says it too") {
            keyed.service.output.contains("the keys file cannot be used")
        }
        // What an editor leaves for a moment, before it writes.
        try keyed.write("")
        try keyed.service.wait(until: "that it is empty is in /status") {
            try keyed.status()["keys"]?["error"]?.string?.contains("is empty") == true
        }
        unlink(keyed.keysFile)
        try keyed.service.wait(until: "that it is gone is in /status") {
            try keyed.status()["keys"]?["error"]?.string?.contains("No such file") == true
        }
        #expect(try works(.query, keyed))
        try keyed.write(PlantedKey.admin.yaml)
        try keyed.service.wait(until: "it is well again") { try !works(.query, keyed) }
        let metrics = try keyed.get("/metrics", .admin).text
        #expect(metrics.contains("millrace_keys_file_ok 1\n"))
        #expect(!metrics.contains("millrace_keys_reload_failures_total 0\n"))
    }

    @Test func `the time of last use is there after a stop, and again after a start`() throws {
        let keyed = try KeyedService([.admin, .query])
        #expect(try works(.admin, keyed))
        #expect(try keyed.service.terminate() == .exited(0))
        let usage = keyed.service.dataDirectory + "/key-usage"
        let first = FileSystem.text(usage)
        #expect(first.hasPrefix("admin 2026-01-01T00:00:00.000Z 2"), "\(first)")
        #expect(!first.contains("query"))
        let again = try keyed.service.startAgain()
        #expect(try again.terminate() == .exited(0))
        #expect(FileSystem.text(usage) == first)
    }

    @Test func `no start without a good keys file, and none needed on another address`() throws {
        let folder = try TemporaryDirectory()
        let program = try ChildProcess(
            [
                try MillraceBinary.path(), "serve", "--keys-file", folder.file("none"),
                "--data-dir",
                folder.file("data"),
            ],
            environment: [:], output: folder.file("out"), errors: folder.file("err"))
        #expect(program.exit(within: .seconds(30)) == .exited(1))
        let said = FileSystem.text(folder.file("out"))
        #expect(said.contains("cannot be read: No such file or directory"), "\(said)")
        #expect(said.contains("millrace keys add"))

        let keyed = try KeyedService([.admin], ["--host", "0.0.0.0"])
        #expect(try keyed.get("/status", .admin).status == 200)
        let health = try ChildProcess(
            [
                try MillraceBinary.path(), "healthcheck", "--ready", "--port",
                "\(keyed.service.port)",
            ],
            environment: [:], output: folder.file("health"), errors: folder.file("err"))
        #expect(health.exit(within: .seconds(30)) == .exited(0))
    }

    @Test func `keys and hashes are in no log, answer, metric or file of the service`() throws {
        let keyed = try KeyedService(
            PlantedKey.all, ["--access-log", "all", "--log-level", "trace"])
        let service = keyed.service
        let stray = PlantedKey("stray", "", scope: "")
        var said = ""
        for key in PlantedKey.all + [stray] {
            for reply in [
                try keyed.post("/events?ack=stored", json: #"[{"type":"web.a"},{"type":""}]"#, key),
                try keyed.get("/query?metric=count", key), try keyed.get("/events", key),
                try keyed.get("/status", key), try keyed.get("/metrics", key),
                try keyed.get("/query?metric=count&key=\(key.text)", key),
                try keyed.get("/events?\(key.text)=1", key), try keyed.get("/nothing/here", key),
                try service.get("/status", headers: ["Authorization": "Bearer \(key.text)x"]),
                try service.get("/status", headers: ["Authorization": "Basic \(key.text)"]),
                try service.get("/status", headers: ["Authorization": key.text]),
            ] {
                said += reply.text
                for header in reply.headers { said += "\(header)\n" }
            }
        }
        try keyed.write(PlantedKey.admin.yaml + "- name: x\n  sha256: \(PlantedKey.query.text)\n")
        try service.wait(until: "the broken file is told") {
            try keyed.status()["keys"]?["error"]?.string != nil
        }
        said += try keyed.get("/status", .admin).text
        #expect(try service.terminate() == .exited(0))
        let files = allFiles(below: service.directory.path)
        #expect(files.count > 4)
        for (path, bytes) in files.map({ ($0, FileSystem.read($0) ?? []) })
            + [("answers", Array(said.utf8))]
        {
            // Latin letters only: a search in bytes.
            let text = String(decoding: bytes, as: UTF8.self)
            for key in PlantedKey.all + [stray] {
                #expect(!text.contains(key.text), "\(path) \(key.name)")
                #expect(key.hash.isEmpty || !text.contains(key.hash), "\(path) \(key.name)")
            }
        }
        #expect(said.contains("unknown_key"))
    }

    @Test func `refusals and admin actions are in the log, bounded`() throws {
        let keyed = try KeyedService([.admin, .query])
        let wire = try keyed.service.connect()
        for _ in 0..<300 { #expect(try wire.ask("GET", "/status").status == 401) }
        #expect(try keyed.get("/status", .query).status == 403)
        #expect(try keyed.post("/events/quarantine/replay", json: "{}", .admin).status == 200)
        try keyed.service.wait(until: "the action is in the log") {
            keyed.service.records.contains {
                $0["message"]?.string == "audit: admin action" && $0["key"]?.string == "admin"
                    && $0["route"]?.string == "/events/quarantine/replay"
            }
        }
        let refusals = keyed.service.records.filter {
            $0["message"]?.string == "audit: request refused"
        }
        #expect((50..<250).contains(refusals.count), "\(refusals.count)")
        #expect(refusals.allSatisfy { $0["reason"]?.string != nil && $0["route"]?.string != nil })
    }
}
