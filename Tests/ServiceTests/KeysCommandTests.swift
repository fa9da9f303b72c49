import Glibc
import TestSupport
import Testing

@testable import Service

@Suite struct KeysCommandTests {
    private let folder: TemporaryDirectory
    private var path: String { folder.file("keys.yaml") }

    init() throws { folder = try TemporaryDirectory() }

    private func run(_ arguments: [String]) throws -> (code: Int32?, out: String, err: String) {
        let program = try Program(
            ["keys"] + arguments, environment: ["MILLRACE_KEYS_FILE": path])
        let code = program.exitCode()
        return (code, program.outputText, program.errorText)
    }

    @Test func `add prints the key once and keeps its hash alone, for the owner alone`() throws {
        let added = try run([
            "add", "--name", "ci", "--scope", "events:write", "--scope", "query", "--types",
            "web.*",
            "--types", "a,b", "--expires", "90d", "--requests-per-second", "50",
            "--events-per-second", "5000",
        ])
        #expect(added.code == 0, "\(added.err)")
        #expect(added.out.hasPrefix("mr_") && added.out.utf8.count == 47)
        let text = FileSystem.text(path)
        #expect(!text.contains(added.out.dropLast()) && !added.err.contains(added.out.dropLast()))
        let record = try #require(try KeysFile(path: path).read().records.first)
        var key = String(added.out.dropLast())
        #expect(key.withUTF8 { KeyHash(of: UnsafeRawBufferPointer($0)) } == record.hash)
        #expect(record.types == ["web.*", "a", "b"])
        #expect(record.scopes == [.eventsWrite, .query])
        #expect(record.quota.requests == 50 && record.quota.events == 5000)
        #expect(record.expires == record.created + 90 * 86_400_000)
        var facts = stat()
        #expect(stat(path, &facts) == 0 && facts.st_mode & 0o777 == 0o600)

        let listed = try run(["list", "--data-dir", folder.path])
        let line = "ci    events:write,query  web.*,a,b  any      50 requests/s,5000 events/s  2"
        #expect(listed.out.contains(line), "\(listed.out)")
        #expect(!listed.out.contains(record.hash.hex))
        #expect(try run(["add", "--name", "ci", "--scope", "query"]).code == 1)
        #expect(try run(["revoke", "other"]).err.contains("there is no key other; there are: ci"))
        #expect(try run(["revoke", "ci"]).code == 0)
        #expect(try KeysFile(path: path).read().records.isEmpty)
    }

    @Test(
        arguments: [
            (["--name", "ci", "--scope", "evnts:write"], "there are: events:write, events:read"),
            (["--name", "c i", "--scope", "query"], "the name of a key is"),
            (["--name", "anonymous", "--scope", "query"], "and not anonymous"),
            (["--name", "ci"], "--scope"),
            (["--name", "ci", "--scope", "query", "--types", "a*b"], "with a * at the end alone"),
            (["--name", "ci", "--scope", "admin", "--types", "a"], "does not go with types"),
            (
                ["--name", "ci", "--scope", "query", "--requests-per-second", "0"],
                "a whole number from 1 to 10000000"
            ),
            (
                ["--name", "ci", "--scope", "query", "--events-per-second", "5"],
                "the scope events:write sends, which it lacks"
            ),
            (["--name", "ci", "--scope", "query", "--expires", "soon"], "--expires is a duration"),
            (["--name", "ci", "--scope", "query", "--expires", "2020-01-01T00:00:00Z"], "to come"),
        ])
    func `add refuses what makes no key, and says what would`(
        arguments: [String], said: String
    ) throws {
        do {
            _ = try MillraceCommand.parseAsRoot(["keys", "add"] + arguments)
            Issue.record("it was understood")
        } catch {
            #expect(MillraceCommand.exitCode(for: error).rawValue == 64)
            #expect(MillraceCommand.fullMessage(for: error).contains(said))
        }
    }

    @Test func `without a keys file the command says how to name one`() throws {
        let program = try Program(["keys", "list"])
        #expect(program.exitCode() == 78)
        #expect(program.errorText.contains("--keys-file or MILLRACE_KEYS_FILE"))
    }
}
