import Testing

@testable import Service

@Suite struct ConfigurationTests {
    @Test func `without a word from anybody the defaults of the contract hold`() throws {
        let configuration = try Configuration.load()
        #expect(configuration.host == "127.0.0.1")
        #expect(configuration.port == 8080)
        #expect(configuration.dataDirectory == "./data")
        #expect(configuration.maxConnections == 4096)
        #expect(configuration.bodyLimitBytes == 10 << 20)
        #expect(configuration.decompressedLimitBytes == 64 << 20)
        #expect(configuration.eventLimitBytes == 256 << 10)
        #expect(configuration.batchEvents == 100_000)
        #expect(configuration.jsonDepth == 32)
        #expect(configuration.headerLimitBytes == 32 << 10)
        #expect(configuration.headerTimeout == .seconds(10))
        #expect(configuration.bodyMinRateBytes == 1024)
        #expect(configuration.journalMaxBytes == 1 << 30)
        #expect(configuration.journalSync == .always)
        #expect(configuration.retention.keepsAll)
        #expect(configuration.shutdownTimeout == .seconds(30))
        #expect(configuration.accessLog == .errors)
        #expect(configuration.corsOrigins.isEmpty)
        #expect(configuration.loops >= 1)
    }

    @Test func `a flag wins over the environment, that over the file, that over the default`()
        throws
    {
        let file = try TemporaryFile("port: 1001\nretention: 1d\nreaders: 3\n")
        let configuration = try file.use { path in
            try Configuration.load(
                flags: ["config": path, "port": "1003"],
                environment: ["MILLRACE_PORT": "1002", "MILLRACE_RETENTION": "2d"])
        }
        #expect(configuration.port == 1003)
        #expect(configuration.retention.standard == .seconds(2 * 86_400))
        #expect(configuration.readers == 3)
        #expect(configuration.jsonDepth == 32)
    }

    @Test func `says of each value where it came from`() throws {
        let file = try TemporaryFile("# comment\nlog:\n  level: warn\n")
        let values = try SettingsResolver.resolve(
            flags: ["port": "1"],
            environment: ["MILLRACE_CONFIG": file.path, "MILLRACE_READERS": "2"])
        #expect(values.entry(Settings.table.port.row).origin.description == "flag --port")
        #expect(
            values.entry(Settings.table.readers.row).origin.description
                == "environment MILLRACE_READERS")
        #expect(
            values.entry(Settings.table.logLevel.row).origin.description == "file \(file.path):3")
        #expect(values.entry(Settings.table.host.row).origin.description == "default")
    }

    @Test(arguments: [
        "journal:\n  max-bytes: 64MiB\n", "journal: { max-bytes: 64MiB }\n",
        "journal-max-bytes: 64MiB\n", "journal.max-bytes: 64MiB\n",
        "journal: {max: {bytes: 64MiB}}",
        "\"journal\": { 'max-bytes': \"64MiB\" }\n", "journal-max-bytes: 67108864\n",
    ])
    func `a YAML path joined by hyphens is the setting's name`(yaml: String) throws {
        #expect(try Configuration.load(yaml: yaml).journalMaxBytes == 64 << 20)
    }

    @Test func `YAML words stay what they are called`() throws {
        let configuration = try Configuration.load(
            yaml:
                "access-log: off\nretention: off\ninsecure-no-auth: yes\nlog: {level: warn, format: json}"
        )
        #expect(configuration.accessLog == .off)
        #expect(configuration.retention.keepsAll)
        #expect(configuration.insecureNoAuth)
        #expect(configuration.logFormat == .json)
    }

    @Test(arguments: [
        "[https://a.example, 'http://b.example:81']", "https://a.example, http://b.example:81",
    ])
    func `a list may be a YAML list or a comma list`(yaml: String) throws {
        #expect(
            try Configuration.load(yaml: "cors-origins: \(yaml)").corsOrigins
                == ["https://a.example", "http://b.example:81"])
    }

    @Test(arguments: ["", "\n", "# nothing\n\n", "---\n# nothing\n...\n"])
    func `a file that says nothing changes nothing`(yaml: String) throws {
        #expect(try Configuration.load(yaml: yaml).port == 8080)
    }

    @Test(arguments: [
        ("port", "65536"), ("port", "-1"), ("port", "+1"), ("port", "http"), ("port", ""),
        ("host", ""), ("host", "127.0.0.1:80"), ("host", "http://localhost"), ("host", "[::1]"),
        ("host", "300.1.1.1"), ("host", "a b"), ("data-dir", ""), ("log-level", "loud"),
        ("access-log", "some"), ("log-format", "xml"), ("journal-max-bytes", "1GB"),
        ("journal-max-bytes", "1MiB"), ("journal-sync", "never"), ("journal-sync-interval", "100"),
        ("retention", "forever"), ("retention", "0s"), ("shutdown-timeout", "30"), ("loops", "0"),
        ("max-connections", "0"), ("json-depth", "2000"), ("insecure-no-auth", "maybe"),
        ("cors-origins", "example.com"), ("cors-origins", "https://a.example/path"),
        ("cors-origins", "https://a.example,,"), ("cors-origins", "https://*.example"),
    ])
    func `a wrong value is refused with name, value, source and what would be right`(
        name: String, text: String
    ) throws {
        let row = try #require(Settings.table.rows.first { $0.name == name })
        let shown = text.isEmpty ? "an empty value" : "`\(text)`"
        let end = "is not \(row.expectation)"
        #expect(
            Configuration.problems(flags: [name: text]) == [
                "\(name): \(shown) (flag --\(name)) \(end)"
            ])
        #expect(
            Configuration.problems(environment: [row.variable: text])
                == ["\(name): \(shown) (environment \(row.variable)) \(end)"])
        let file = try TemporaryFile("\(name): \"\(text)\"\n")
        #expect(
            file.use { Configuration.problems(flags: ["config": $0]) }
                == ["\(name): \(shown) (file \(file.path):1) \(end)"])
    }

    @Test(arguments: [
        ("host", "::1"), ("host", "127.9.9.9"), ("host", "localhost"), ("port", "0"),
        ("log-level", "warn"), ("log-level", "TRACE"), ("retention", "90d"), ("retention", "off"),
        ("insecure-no-auth", "1"), ("cors-origins", "*"), ("cors-origins", ""),
        ("body-min-rate", "0"), ("journal-sync", "interval"),
    ])
    func `a right value is taken from every source`(name: String, text: String) throws {
        let row = try #require(Settings.table.rows.first { $0.name == name })
        #expect(Configuration.problems(flags: [name: text]) == [])
        #expect(Configuration.problems(environment: [row.variable: text]) == [])
        let file = try TemporaryFile("\(name): \"\(text)\"")
        #expect(file.use { Configuration.problems(flags: ["config": $0]) } == [])
    }

    @Test(arguments: [
        ("http://h", "the scheme is redis:// or unix://"), ("redis://", "a host is missing"),
        ("redis://:hunter2@h:x", "a port is 1 to 65535"),
        ("redis://:hunter2@h/x", "the database is a number from 0"),
        ("redis://hun@ter2@h", "'@' in a password is written %40"),
        ("redis://h?tls=1", "the parameters are cluster and db"),
    ])
    func `a Redis URL is refused with the part that is wrong, and not repeated`(
        text: String, fault: String
    ) throws {
        let found = try #require(Configuration.problems(flags: ["redis-url": text]).first)
        #expect(found.hasPrefix("redis-url: the hidden value (flag --redis-url) is not a URL"))
        #expect(found.hasSuffix("; what is wrong: \(fault)"), "\(found)")
        #expect(!found.contains("ter2"))
    }

    @Test func `everything that is wrong is said at once`() {
        let found = Configuration.problems(
            flags: ["port": "x"], environment: ["MILLRACE_LOOPS": "y", "MILLRACE_PROT": "1"])
        #expect(found.count == 3)
    }
}
