import ArgumentParser

/// Says whether the service could start, without starting it.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check the configuration, the data directory, the journal and the store.",
        discussion: """
            Takes the same flags as serve. Nothing is changed. Exit code 0: all is well; \
            1: something in the data directory is not; 78: the configuration is refused.

              millrace check --config millrace.yaml
              millrace check --print-config
            """)

    @Flag(help: "Print every setting, its value and where it came from; check nothing else.")
    var printConfig = false

    @OptionGroup var settings: SettingOptions

    func run() throws {
        if printConfig {
            let values = try Startup.settings(flags: settings.given)
            return StandardStream.output.write(SettingsReport.text(values))
        }
        let findings = Inspection.run(try Startup.configuration(flags: settings.given))
        StandardStream.output.write("ok      configuration: understood\n")
        for finding in findings { StandardStream.output.write("\(finding)\n") }
        if findings.contains(where: { $0.verdict == .failed }) { throw ExitCode.failure }
    }
}
