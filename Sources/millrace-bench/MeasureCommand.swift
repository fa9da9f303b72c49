import ArgumentParser
import Primitives
import ProcessSupport
import Service

/// Runs benchmarks and prints what they found; the default.
struct MeasureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure",
        abstract: "Measure Millrace (the default).",
        discussion: """
            Examples:

              millrace-bench --list
              millrace-bench decode journal --rounds 5
              millrace-bench --json figures.json

            Without names everything is measured, in under ten minutes. Figures drift from run to \
            run and from machine to machine: compare only what one run measured.
            """)

    @Argument(help: "What to measure; --list names it all.")
    var names: [String] = []

    @Flag(help: "Name what can be measured, and measure nothing.")
    var list = false

    @Option(help: "How long each side of each round works.")
    var seconds = 2.0

    @Option(help: "How often each side is measured; the median counts.")
    var rounds = 3

    @Option(help: "Rows of the store that `scan` and `rollup` ask; 10 million take 1.5 GB each.")
    var rows = 1_000_000

    @Option(help: "Ids that `identity` stores in each round.")
    var ids = 1_000_000

    @Option(help: "Events of web requests, one a line, that `dashboard` asks about.")
    var events: String?

    @Option(help: "Keep the stores of --rows rows in this folder, and use those that are there.")
    var samples: String?

    @Option(help: "A Python; `scan` asks DuckDB the same if this has the module duckdb.")
    var python = "python3"

    @Option(help: "Write the figures to this file as well, as JSON.")
    var json: String?

    @Option(help: "Where data lies meanwhile (default: beside this program).")
    var directory: String?

    @Option(help: "The service's binary (default: beside this program).")
    var server: String?

    func validate() throws {
        for name in names where BenchmarkCatalogue.named(name) == nil {
            throw ValidationError("There is no benchmark '\(name)'; --list names them all.")
        }
        guard seconds > 0, seconds <= 600 else {
            throw ValidationError("--seconds must be above 0 and at most 600.")
        }
        guard (1...1_000_000_000).contains(ids) else {
            throw ValidationError("--ids must be 1 to 1,000,000,000.")
        }
        guard (1000...100_000_000).contains(rows) else {
            throw ValidationError("--rows must be 1,000 to 100,000,000.")
        }
        guard (1...1000).contains(rounds) else {
            throw ValidationError("--rounds must be 1 to 1000.")
        }
    }

    func run() throws {
        if list { return printList() }
        let scratch = try ScratchDirectory(in: directory ?? BuildFolder.path)
        Interruption.clearsUp(scratch)
        defer { scratch.remove() }
        let bench = Bench(
            time: .seconds(seconds), rounds: rounds, rows: rows, ids: ids,
            eventsPath: events, samplesPath: samples, python: python, scratch: scratch,
            serverPath: server ?? BuildFolder.program("millrace"))
        let machine = MachineState()
        printConditions(machine, scratch)
        let results = measure(bench)
        print("load afterwards: \(MachineState.load)")
        if let json {
            let report = JSONReport(machine: machine, bench: bench, results: results)
            try attempt("the report") { try FileSystem.write(report.text.utf8, to: json) }
        }
        if results.contains(where: { $0.failure != nil }) { throw ExitCode.failure }
    }

    private func measure(_ bench: Bench) -> [BenchmarkResult] {
        print(ResultTable.header)
        let chosen =
            names.isEmpty ? BenchmarkCatalogue.all : names.compactMap(BenchmarkCatalogue.named)
        return chosen.map { type in
            let result = BenchmarkRun.result(of: type, bench)
            for line in ResultTable.lines(result) { print(line) }
            return result
        }
    }

    private func printList() {
        for type in BenchmarkCatalogue.all {
            let gap = String(repeating: " ", count: max(1, 12 - type.name.count))
            print(type.name + gap + type.summary)
        }
    }

    private func printConditions(_ machine: MachineState, _ scratch: ScratchDirectory) {
        print(
            "\(machine.processors) processors, load \(machine.loadBefore), "
                + "\(rounds) rounds of \(seconds) s a side")
        if MachineState.isDebugBuild { print("This is a debug build: its figures say nothing.") }
        if scratch.isInMemory {
            print("\(scratch.path) lies in memory: what waits for a disk looks too fast.")
        }
    }

    /// Unbuffered, so that a long run shows what it has even where output is no terminal.
    private func print(_ line: String) { StandardStream.output.write(line + "\n") }
}
