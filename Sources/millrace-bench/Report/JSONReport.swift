import Primitives

/// The results of a run as one JSON text, for programs that compare runs.
struct JSONReport {
    let machine: MachineState
    let bench: Bench
    let results: [BenchmarkResult]

    var text: String {
        var buffer = ByteBuffer(capacity: 16 << 10)
        buffer.append(json: value)
        buffer.append("\n")
        return buffer.text
    }

    private var value: JSONValue {
        .object([
            ("machine", machine.json),
            ("seconds", .double(bench.time.inSeconds)),
            ("rounds", .integer(Int64(bench.rounds))),
            ("results", .array(results.map(JSONReport.value))),
        ])
    }

    private static func value(_ result: BenchmarkResult) -> JSONValue {
        let failure = result.failure.map { JSONValue.string($0.description) }
        return .object([
            ("benchmark", .string(result.name)),
            ("failure", failure ?? .null),
            ("measured", .array(result.sides.map(value))),
        ])
    }

    private static func value(_ side: BenchmarkResult.Side) -> JSONValue {
        .object([
            ("name", .string(side.name)),
            ("figures", .array(side.figures.map(value))),
        ])
    }

    private static func value(_ figure: FigureSummary) -> JSONValue {
        .object([
            ("name", .string(figure.name)),
            ("unit", .string(figure.unit.rawValue)),
            ("median", .double(figure.median)),
            ("min", .double(figure.minimum)),
            ("max", .double(figure.maximum)),
            ("rounds", .array(figure.values.map(JSONValue.double))),
        ])
    }
}
