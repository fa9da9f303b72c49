import Testing

@testable import Service

@Suite struct UnknownNameTests {
    @Test func `an unknown variable of ours is refused, and the nearest known one offered`() {
        #expect(
            Configuration.problems(environment: ["MILLRACE_JOURNAL_MAXBYTES": "1GiB"]) == [
                "MILLRACE_JOURNAL_MAXBYTES: there is no such setting; "
                    + "did you mean MILLRACE_JOURNAL_MAX_BYTES?"
            ])
    }

    @Test func `nothing is offered where nothing is near, and the value is not shown`() {
        #expect(
            Configuration.problems(environment: ["MILLRACE_XYZZY_PLUGH": "hunter2"])
                == ["MILLRACE_XYZZY_PLUGH: there is no such setting"])
    }

    @Test(arguments: ["MILLRACE_FOO", "MILLRACE_NODES_LIST", "MILLRACE_URL", "MILLRACE_X"])
    func `what is short has to be nearer`(variable: String) {
        #expect(
            Configuration.problems(environment: [variable: "1"])
                == ["\(variable): there is no such setting"])
    }

    @Test func `variables of others are left alone`() {
        #expect(
            Configuration.problems(environment: ["PORT": "x", "millrace_port": "x", "PATH": "/bin"])
                .isEmpty)
    }

    @Test func `a variable that Kubernetes sets for a service of our name is explained`() throws {
        let found = Configuration.problems(environment: [
            "MILLRACE_PORT_8080_TCP": "tcp://10.0.0.1:8080"
        ])
        #expect(try #require(found.first).contains("enableServiceLinks: false"))
    }

    @Test func `an unknown key of the file is refused with its line`() throws {
        let file = try TemporaryFile(
            "port: 1\njournal:\n  max-byte: 1GiB\n  # none\n  shape: round\n")
        #expect(
            file.use { Configuration.problems(flags: ["config": $0]) } == [
                "journal.max-byte (file \(file.path):3): there is no such setting; "
                    + "did you mean journal-max-bytes?",
                "journal.shape (file \(file.path):5): there is no such setting",
            ])
    }

    @Test func `a file cannot name another file`() throws {
        let file = try TemporaryFile("config: other.yaml\n")
        #expect(
            file.use { Configuration.problems(flags: ["config": $0]) }
                == ["config (file \(file.path):1): there is no such setting"])
    }

    @Test(arguments: [
        ("host", "hots", 1), ("port", "prot", 1), ("", "abc", 3), ("same", "same", 0),
        ("kitten", "sitting", 3),
    ])
    func `counts what differs between two names`(a: String, b: String, distance: Int) {
        #expect(Suggestion.distance(a, b) == distance)
        #expect(Suggestion.distance(b, a) == distance)
    }
}
