import ArgumentParser

/// The command line: `millrace-bench [measure] NAME…` or `millrace-bench replay FILE`.
@main
struct MillraceBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace-bench",
        abstract: "Measure Millrace.",
        subcommands: [MeasureCommand.self, ReplayCommand.self],
        defaultSubcommand: MeasureCommand.self)
}
