import TestSupport
import Testing

@testable import Service

@Suite struct ConfigurationFileTests {
    private func problem(_ path: String) -> String? {
        do {
            _ = try Configuration.load(flags: ["config": path])
            return nil
        } catch { return error.problems.first }
    }

    @Test func `a file that is not there is refused with who named it`() {
        #expect(
            problem("/nonexistent/millrace.yaml")
                == "config: `/nonexistent/millrace.yaml` (flag --config) cannot be read: "
                + "No such file or directory")
    }

    @Test func `a directory is no file`() {
        #expect(problem("/tmp")?.contains("cannot be read: Is a directory") == true)
    }

    @Test func `a huge file is refused before it is parsed`() throws {
        let file = try TemporaryFile(String(repeating: "# padding\n", count: 200_000))
        #expect(file.use(problem)?.contains("larger than 1MiB") == true)
    }

    @Test(
        arguments: [
            ("a: [", 3), ("- port", 1), ("just words", 1), ("port: 1\nport: 2", 1), ("a: b: c", 1),
            ("\tport: 1", 1), ("a: 1\n---\nb: 2", 2), ("? [a, b]\n: 1", 1), ("a: \u{1}", 1),
            ("types: [*, b]", 1),
        ])
    func `what is no mapping is refused with its line, and no value is shown`(
        yaml: String, line: Int
    ) throws {
        let file = try TemporaryFile(yaml + "\n# password: hunter2")
        let found = try #require(file.use(problem))
        #expect(
            found.hasPrefix("file \(file.path):\(line): is not a YAML mapping of settings: "),
            "\(found)")
        #expect(!found.contains("hunter2"))
        #expect(!found.contains("\n"))
    }

    @Test func `what is not UTF-8 is refused`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("file", [UInt8(ascii: "a"), 0x3A, 0x20, 0xE9, 0x0A])
        #expect(
            problem(directory.file("file"))?.hasSuffix("cannot be read: it is not UTF-8") == true)
    }

    @Test(
        arguments: [
            ("port: 1\nhost: &h localhost\nnode: *h\n", 2), ("a: [&a x, *a]", 1),
            ("- &a x\n- *a\n", 1), ("port: 1\n? &k port\n: 2", 2), ("x:\n  - *unknown\n", 2),
            ("\u{FEFF}a: {b: *c}", 1),
        ])
    func `an anchor or alias is refused with its line`(yaml: String, line: Int) throws {
        let file = try TemporaryFile(yaml)
        let found = try #require(file.use(problem))
        #expect(found.hasPrefix("file \(file.path):\(line): "), "\(found)")
        #expect(found.hasSuffix(YAMLGuard.anchorReason))
    }

    @Test func `a few lines that stand for a billion values are refused at once`() throws {
        var lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
        for (name, before) in zip("bcdefghij", "abcdefghi") {
            lines.append(
                "\(name): &\(name) ["
                    + Array(repeating: "*\(before)", count: 10)
                    .joined(separator: ", ") + "]")
        }
        lines.append("? *j\n: 1")
        let file = try TemporaryFile(lines.joined(separator: "\n"))
        #expect(file.use(problem)?.hasSuffix(YAMLGuard.anchorReason) == true)
    }

    @Test(
        arguments: [
            "a: " + String(repeating: "[", count: 100_000),
            "a: " + String(repeating: "{x: ", count: 100_000),
            String(repeating: "- ", count: 100_000),
            (0..<600).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
        ])
    func `deep nesting is refused before it is parsed`(yaml: String) throws {
        let file = try TemporaryFile(yaml)
        let found = try #require(file.use(problem))
        #expect(
            found.contains("nested more than 16 deep") || found.contains("more than 100 columns"))
    }

    @Test(
        arguments: [
            "node: a&b", "node: \"*a &b\"", "# *a &b\nnode: a", "node: 'it''s &x'",
            "cors-origins: [https://a.example, https://b.example] # &c",
        ])
    func `what only looks like an anchor is let be`(yaml: String) throws {
        let file = try TemporaryFile(yaml)
        #expect(file.use(problem)?.contains("anchors") != true)
    }

    @Test func `setting one thing in two ways is refused`() throws {
        let file = try TemporaryFile("journal-max-bytes: 64MiB\njournal: {max-bytes: 32MiB}\n")
        let found = try #require(file.use(problem))
        #expect(
            found
                == "file \(file.path):2: sets journal-max-bytes twice: journal-max-bytes (line 1) "
                + "and journal.max-bytes")
    }

    @Test(
        arguments: [
            ("port", 1), ("journal-max-bytes", 4), ("journal-sync", 5), ("log-level", 7),
            ("node", 9), ("cors-origins", 10),
        ])
    func `says in which line a setting is`(name: String, line: Int) throws {
        let file = try TemporaryFile(
            """
            port: 1
            # journal: no
            journal:
              max-bytes: 1GiB
              sync: always

            log: { level: info }
            stream: {max: {age: 1d}}
            "node": n1
            cors-origins:
              - https://a.example
            """)
        let values = try file.use { path in
            try SettingsResolver.resolve(flags: ["config": path], environment: [:])
        }
        let row = try #require(Settings.table.rows.first { $0.name == name })
        #expect(values.entry(row).origin == .file(file.path, line: line))
    }

    @Test(arguments: ["port: [1, 2]", "port: [{a: 1}]", "host: [[a]]"])
    func `a value of the wrong shape is refused with its line`(yaml: String) throws {
        let file = try TemporaryFile("# first\n" + yaml)
        let found = try #require(file.use(problem))
        #expect(found.contains("file \(file.path):2"), "\(found)")
        #expect(found.contains(" is not "))
    }

    @Test func `a list's element with a comma is refused and not cut in two`() throws {
        let file = try TemporaryFile("cors-origins: ['https://a.example,b', 'https://c.example']")
        #expect(file.use(problem)?.hasSuffix("an element of a list has a comma in it") == true)
    }
}
