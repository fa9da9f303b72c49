import Testing

@testable import Service

@Suite struct SettingsTests {
    @Test func `the table has every declared setting once, and each has help`() {
        let rows = Settings.table.rows
        #expect(rows.count == Mirror(reflecting: Settings.table).children.count)
        #expect(Set(rows.map(\.name)).count == rows.count)
        #expect(rows.allSatisfy { !$0.help.isEmpty && !$0.help.hasSuffix(".") })
    }

    @Test func `a name is lower-case words and hyphens`() {
        for row in Settings.table.rows {
            #expect(row.name.allSatisfy { $0.isASCII && ($0.isLowercase || $0 == "-") })
        }
    }

    @Test func `flag and variable follow from the name`() {
        let row = Settings.table.journalMaxBytes.row
        #expect(row.flag == "--journal-max-bytes")
        #expect(row.variable == "MILLRACE_JOURNAL_MAX_BYTES")
    }

    @Test func `every setting has a flag that reaches the configuration`() throws {
        var arguments = ["serve"]
        var given: [String: String] = [:]
        for row in Settings.table.rows {
            let isSwitch = row.placeholder.isEmpty
            let text = isSwitch ? "true" : "\(row.name)-text"
            arguments += isSwitch ? [row.flag] : [row.flag, text]
            given[row.name] = text
        }
        // One command line for all: each takes the parser a fifth of a second in a debug build.
        let command = try MillraceCommand.parseAsRoot(arguments)
        #expect(try #require(command as? ServeCommand).settings.given == given)
    }

    @Test(arguments: Settings.table.rows.map(\.name))
    func `every setting is read from its variable`(name: String) throws {
        let row = try #require(Settings.table.rows.first { $0.name == name })
        let values = try SettingsResolver.resolve(
            flags: [:], environment: [row.variable: row.defaultText])
        #expect(values.entry(row).origin == .environment(row.variable))
    }

    @Test func `the help of serve names every flag`() {
        let help = MillraceCommand.helpMessage(for: ServeCommand.self)
        for row in Settings.table.rows { #expect(help.contains("  \(row.flag)")) }
    }

    @Test func `a secret is quoted and reported by no value`() {
        let row = SettingRow(
            name: "redis-url", help: "", placeholder: "url", expectation: "a URL", defaultText: "",
            isSecret: true, accepts: { _ in true })
        let values = ResolvedSettings([
            "redis-url": .init(text: "redis://:hunter2@db", origin: .standard)
        ])
        #expect(row.quote("hunter2") == "the hidden value")
        let report = SettingsReport.text(values, of: [row])
        #expect(report.contains("********"))
        #expect(!report.contains("hunter2"))
    }

    @Test func `a quoted value cannot write to the terminal and is short`() {
        let row = Settings.table.host.row
        #expect(row.quote("a\u{1B}[2J\nb") == "`a?[2J?b`")
        #expect(row.quote(String(repeating: "x", count: 500)).count < 100)
        #expect(row.quote("") == "an empty value")
    }
}
