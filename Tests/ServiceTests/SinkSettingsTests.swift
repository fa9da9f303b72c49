import Testing

@testable import Service

@Suite struct SinkSettingsTests {
    @Test func `without a word about sinks there are none`() throws {
        #expect(try Configuration.load(yaml: "port: 1\n").sinks.isEmpty)
        #expect(try Configuration.load(yaml: "sinks: {}\n").sinks.isEmpty)
    }

    @Test func `a sink is a name and its settings`() throws {
        let sinks = try Configuration.load(
            yaml:
                """
                port: 1
                sinks:
                  billing:
                    url: http://127.0.0.1:9000/in?x=1
                  audit: { url: "https://audit.example.com", types: [order.*, signup], batch-size: 500,
                           timeout: 2s, type: http, authorization: Bearer abc, headers: { X-Team: a } }
                """
        ).sinks
        #expect(sinks.map(\.name) == ["audit", "billing"])
        #expect(sinks[0].url == "https://audit.example.com")
        #expect(sinks[0].filter.patterns == ["order.*", "signup"])
        #expect(sinks[0].batchSize == 500)
        #expect(sinks[0].timeout == .seconds(2))
        #expect(sinks[0].headers == ["Authorization": "Bearer abc", "X-Team": "a"])
        #expect(sinks[1].url == "http://127.0.0.1:9000/in?x=1")
        #expect(sinks[1].filter.patterns.isEmpty)
        #expect(sinks[1].batchSize == 100)
        #expect(sinks[1].timeout == .seconds(10))
        #expect(sinks[1].headers.isEmpty)
    }

    @Test func `sinks may be a list whose elements say their name`() throws {
        let sinks = try Configuration.load(
            yaml:
                "sinks:\n- name: b\n  url: http://h\n  types: [x, y.*]\n- {url: http://g, name: a}\n"
        ).sinks
        #expect(sinks.map(\.name) == ["a", "b"])
        #expect(sinks.map(\.url) == ["http://g", "http://h"])
        #expect(sinks[1].filter.patterns == ["x", "y.*"])
    }

    @Test func `what is wrong with an element of a list is told with its line`() throws {
        #expect(
            try Configuration.problems(
                yaml:
                    "sinks:\n- name: a\n  url: http://h\n- url: http://h\n- name: a\n  url: http://g\n- b\n"
                    + "- name: c\n  url: http://h\n  shape: round\n"
            ) == [
                "sinks.2 (file FILE:4): the sink has no name",
                "sinks.a (file FILE:5): there are two of this name",
                "sinks.4 (file FILE:7): a sink is a mapping with a name, url, types and so on",
                "sinks.c.shape (file FILE:10): there is no such setting",
            ])
        #expect(
            try Configuration.problems(yaml: "sinks: many") == [
                "sinks (file FILE:1): is neither a mapping by name nor a list of sinks"
            ])
        #expect(
            try Configuration.problems(
                yaml: "sinks:\n  a:\n    url: http://h\n  a:\n    url: http://g\n") == [
                    "file FILE:2: is not a YAML mapping of settings: a is there twice"
                ])
    }

    @Test func `types may be a comma list`() throws {
        let sinks = try Configuration.load(yaml: "sinks: { a: { url: http://h, types: 'x, y.*' } }")
            .sinks
        #expect(sinks[0].filter.patterns == ["x", "y.*"])
    }

    @Test(arguments: [
        "ftp://h/", "h", "http://", "http://user:secret@h/", "http://h:0/", "http://h:70000",
        "http://h:x/", "https:///path", "http://a b/", "javascript:alert(1)",
    ])
    func `a URL that cannot be sent to is refused, and not shown`(url: String) throws {
        #expect(
            try Configuration.problems(yaml: "sinks:\n  a:\n    url: \"\(url)\"\n") == [
                "sinks-a-url: `********` (file FILE:3) is not an http:// or https:// URL with a "
                    + "host and without user and password"
            ])
    }

    @Test(arguments: ["http://h", "HTTPS://h.example/", "http://[::1]:9000/x", "http://10.0.0.1:1"])
    func `URLs of receivers are taken`(url: String) throws {
        #expect(
            try Configuration.load(yaml: "sinks: { a: { url: \"\(url)\" } }").sinks.first?.url
                == url)
    }

    @Test func `each wrong value is refused with its place and what would be right`() throws {
        #expect(
            try Configuration.problems(
                yaml:
                    "sinks:\n  a:\n    url: http://h\n    batch-size: 0\n    timeout: 1m\n"
                    + "    type: kafka\n    authorization: \"\"\n"
            ) == [
                "sinks-a-batch-size: `0` (file FILE:4) is not a whole number from 1 to 10000",
                "sinks-a-timeout: `1m` (file FILE:5) is not a duration from 100ms to 30s "
                    + "(ms, s, m, h or d)",
                "sinks-a-type: `kafka` (file FILE:6) is not http, the one type of sink there is",
                "sinks-a-authorization: the hidden value (file FILE:7) is not a header's value: "
                    + "printable characters on one line",
            ])
    }

    @Test func `an unknown key is refused and the nearest offered`() throws {
        #expect(
            try Configuration.problems(
                yaml: "sinks:\n  a:\n    url: http://h\n    batchsize: 5\n    shape: round\n")
                == [
                    "sinks.a.batchsize (file FILE:4): there is no such setting; "
                        + "did you mean batch-size?",
                    "sinks.a.shape (file FILE:5): there is no such setting",
                ])
        #expect(
            try Configuration.problems(
                yaml: "sinks: { a: { url: http://h, headers: { Host: x } } }") == [
                    "sinks.a.headers.Host (file FILE:1): there is no such setting; "
                        + "`Host` is no header that can be set"
                ])
    }

    @Test func `a sink needs a url and a sane name`() throws {
        #expect(
            try Configuration.problems(yaml: "sinks:\n  a:\n    batch-size: 5\n")
                == ["sinks.a (file FILE:2): has no url, so there is nowhere to send events to"])
        #expect(
            try Configuration.problems(yaml: "sinks:\n  Audit Log:\n    url: http://h\n") == [
                "sinks.Audit Log (file FILE:2): the name of a sink is 1 to 63 of the "
                    + "characters a-z 0-9 - _"
            ])
        #expect(
            try Configuration.problems(yaml: "sinks:\n  url: http://h\n") == [
                "sinks.url (file FILE:2): a sink is a name and, below it, url, types and so on"
            ])
    }

    @Test(
        arguments: [
            ("sinks:\n  a: {}\n", 2), ("sinks: { a: { url: http://h }, old: { } }", 1),
            ("port: 1 # a {}\nbogus: {}\n", 2), ("sinks:\n  a:\n    headers: {\n    }\n", 3),
        ])
    func `a name without any value does not vanish`(text: String, line: Int) throws {
        #expect(
            try Configuration.problems(yaml: text) == [
                "file FILE:\(line): `{}` sets nothing; give the name before it a value, or leave "
                    + "both out"
            ])
    }

    @Test(
        arguments: [
            "sinks: {}\n", "{}", "sinks:\n  a:\n    url: http://h/{}\n",
            "sinks: { a: { url: http://h, authorization: \"{}\" } }",
            "sinks: { a: { url: http://h, authorization: 'it is {}' } } # {}",
        ])
    func `braces that are no mapping are let be`(text: String) throws {
        #expect(try Configuration.problems(yaml: text) == [])
    }

    @Test(arguments: ["or*er.paid", "*.paid", "a**"])
    func `a type has its asterisk at the end alone`(type: String) throws {
        let problem = try Configuration.problems(
            yaml: "sinks: { a: { url: http://h, types: [\"\(type)\"] } }"
        ).first
        #expect(problem?.hasSuffix("with the * at the end alone") == true)
    }

    @Test func `sinks come from the file alone`() {
        do {
            _ = try Configuration.load(environment: ["MILLRACE_SINKS_A_URL": "http://h"])
            Issue.record("taken")
        } catch {
            #expect(error.problems.first?.hasPrefix("MILLRACE_SINKS_A_URL: there is no") == true)
        }
    }

    @Test func `the report hides what may be a secret`() throws {
        let file = try TemporaryFile(
            "sinks: { a: { url: https://h.example/services/T0/token, authorization: Bearer x } }")
        let text = try file.use { path in
            SettingsReport.text(
                try SettingsResolver.resolve(flags: ["config": path], environment: [:]))
        }
        #expect(text.contains("https://h.example/********"))
        #expect(!text.contains("token") && !text.contains("Bearer"))
    }
}
