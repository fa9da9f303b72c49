import HTTPServer
import Primitives
import TestSupport
import Testing

@testable import Service

@Suite struct KeysDocumentTests {
    private static let hash = String(repeating: "0a", count: 32)

    private func record(_ name: String) throws -> KeyRecord {
        KeyRecord(
            name: name, hash: NewKey().hash, scopes: [.eventsWrite], types: ["a.*", "say \"hi\""],
            quota: Quota.Rates(requests: 1, events: 10_000_000), created: 1_700_000_000_000,
            expires: 1_800_000_000_000)
    }

    private func problems(_ yaml: String) -> [String] {
        do {
            _ = try KeysDocument(yaml, path: "K")
            return []
        } catch { return error.problems }
    }

    @Test func `reads back what it writes`() throws {
        let records = try ["a", "b", "c"].map(record)
        var document = try KeysDocument("", path: "K")
        for record in records { document = try document.adding(record) }
        #expect(document.records == records)
        #expect(try KeysDocument(document.text, path: "K").records == records)
    }

    @Test func `comments and order outlive changes`() throws {
        let text = """
            # Ours.
            - name: a
              sha256: \(KeysDocumentTests.hash)   # of a
              scopes: [query]
              created: 2026-01-01T00:00:00Z

            # The second one.
            - created: 2026-01-01T00:00:00Z
              name: b
              sha256: \(String(repeating: "0b", count: 32))
              scopes:
              - query
              - admin
            # The end.
            """
        let document = try KeysDocument(text, path: "K")
        let without = try document.removing("a")
        #expect(without.text.hasPrefix("# Ours.\n\n# The second one.\n- created"))
        #expect(without.text.hasSuffix("# The end."))
        let changed = try without.adding(try record("c")).removing("b")
        #expect(changed.records.map(\.name) == ["c"])
        #expect(changed.text.contains("# Ours.") && changed.text.contains("# The end."))
    }

    @Test(arguments: [
        "[{name: a, sha256: H, scopes: [query], created: 2026-01-01T00:00:00Z}]", "[]",
    ])
    func `a style that cannot be changed line by line is left alone`(yaml: String) throws {
        let document = try KeysDocument(
            yaml.replacing("H", with: KeysDocumentTests.hash), path: "K")
        #expect(throws: KeysError.self) { _ = try document.adding(try record("b")) }
    }

    @Test func `names are there once, in the file and when one is added`() throws {
        let one = try record("a")
        let document = try KeysDocument("", path: "K").adding(one)
        #expect(throws: KeysError("K: there is a key a already; revoke it first")) {
            _ = try document.adding(one)
        }
        #expect(throws: KeysError("K: there is no key b; there are: a")) {
            _ = try document.removing("b")
        }
        let two = problems(one.yaml + (try record("a")).yaml)
        #expect(two == ["file K:9: there are two keys of the name a"])
    }

    @Test func `everything that is wrong is told with its line, and no hash`() {
        let found = problems(
            """
            - name: A B
              sha256: \(KeysDocumentTests.hash)0
              scopes: [events:write, evnts:read]
              created: today
              expire: 2026-01-01T00:00:00Z
            - name: b
            - text
            - name: c
              sha256: \(KeysDocumentTests.hash)
              scopes: [admin]
              types: [web.*]
              created: 2026-01-01T00:00:00Z
            - name: d
              sha256: \(KeysDocumentTests.hash)
              scopes: [events:write]
              requests-per-second: 0
              events-per-second: 1e3
              created: 2026-01-01T00:00:00Z
            """)
        #expect(
            found == [
                "file K:5: there is no field expire; did you mean expires?",
                "file K:1: the name of a key is \(KeyRecord.nameRule)",
                "file K:2: sha256 is 64 hexadecimal digits",
                "file K:3: a scope is one of \(KeyScope.list)",
                "file K:4: created is an RFC 3339 time", "file K:6: the key has no sha256",
                "file K:6: the key has no created",
                "file K:7: a key is a mapping with name, sha256, scopes and so on",
                "file K:8: the key c: the scope admin reaches every event, so it does not go with "
                    + "types or queries",
                "file K:16: requests-per-second is \(KeyRecord.rateRule)",
                "file K:17: events-per-second is \(KeyRecord.rateRule)",
            ])
        #expect(!"\(found)".contains(KeysDocumentTests.hash))
    }

    @Test func `a key has 256 bits, a prefix, and the hash that others compute`() throws {
        let keys = (0..<100).map { _ in NewKey().text }
        #expect(Set(keys).count == 100)
        #expect(keys.allSatisfy { $0.hasPrefix("mr_") && $0.utf8.count == 46 })
        // The second vector of FIPS 180-4's examples is "abc".
        var text = "abc"
        let hash = text.withUTF8 { KeyHash(of: UnsafeRawBufferPointer($0)) }
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(hash.hex == hex)
        #expect(KeyHash(hex: hex.uppercased()) == hash)
        #expect(KeyHash(hex: String(hex.dropLast())) == nil && KeyHash(hex: hex + "0") == nil)
        for place in 0..<32 {
            var digits = Array(hex)
            digits[2 * place] = digits[2 * place] == "0" ? "1" : "0"
            #expect(KeyHash(hex: String(digits)) != hash)
        }
    }

    @Test func `changes at the same time all hold`() throws {
        let folder = try TemporaryDirectory()
        let file = KeysFile(path: folder.file("keys"))
        let failures = Locked<[String]>([])
        let threads = (0..<8).map { index in
            Thread(name: "add") {
                let record = KeyRecord(
                    name: "k\(index)", hash: NewKey().hash, scopes: [.query], created: 0)
                do throws(KeysError) {
                    try file.change(isCreating: true) { (keys) throws(KeysError) in
                        try keys.adding(record)
                    }
                } catch { failures.withLock { $0.append("\(error)") } }
            }
        }
        for thread in threads { thread.join() }
        #expect(failures.withLock { $0 } == [])
        let names = Set(try file.read().records.map(\.name))
        #expect(names == Set((0..<8).map { "k\($0)" }))
        #expect(folder.names == ["keys"])
        #expect(file.stamp?.isWorldReadable == false)
    }
}
