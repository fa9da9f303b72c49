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

    @Test(arguments: ["a: [", "- port", "just words", "port: 1\nport: 2", "a: b: c", "\tport: 1"])
    func `what is no mapping is refused, and no value is shown`(yaml: String) throws {
        let file = try TemporaryFile(yaml + "\n# password: hunter2")
        let found = try #require(file.use(problem))
        #expect(found.hasPrefix("file \(file.path): is not a YAML mapping of settings: "))
        #expect(!found.contains("hunter2"))
        #expect(!found.contains("\n"))
    }

    @Test func `setting one thing in two ways is refused`() throws {
        let file = try TemporaryFile("journal-max-bytes: 64MiB\njournal: {max-bytes: 32MiB}\n")
        let found = try #require(file.use(problem))
        #expect(found.contains("sets journal-max-bytes twice"))
    }

    @Test(arguments: [
        (["port"], 1), (["journal"], 3), (["journal", "sync"], 5), (["journal", "max-bytes"], 4),
        (["log", "level"], 7), (["after"], 9),
    ])
    func `finds the line of a key`(keys: [String], line: Int) {
        let text = """
            port: 1
            # journal: no
            journal:
              max-bytes: 1GiB
              sync: always

            log: { level: info }
            nested: {deep: 1}
            "after": 1
            """
        #expect(YAMLLines.line(of: keys, in: text) == line)
    }

    @Test func `a key of another group is not taken for one's own`() {
        #expect(YAMLLines.line(of: ["a", "x"], in: "a:\n  y: 1\nb:\n  x: 1\n") == 1)
        #expect(YAMLLines.line(of: ["x"], in: "a:\n  x: 1\nx: 2\n") == 3)
    }
}
