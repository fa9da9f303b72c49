/// Results as lines of text.
enum ResultTable {
    private static let widths = (benchmark: 12, side: 30, median: 24, range: 25)

    static var header: String {
        row("benchmark", "measured", "median", "min … max", "beside it (medians)")
    }

    static func lines(_ result: BenchmarkResult) -> [String] {
        if let failure = result.failure {
            return [pad(result.name, widths.benchmark) + "FAILED: \(failure)"]
        }
        return result.sides.map { line(result.name, $0) }
    }

    private static func line(_ benchmark: String, _ side: BenchmarkResult.Side) -> String {
        guard let main = side.figures.first else { return "" }
        let median = FigureText.named(main.name, main.median, main.unit)
        let minimum = FigureText.format(main.minimum, main.unit)
        let maximum = FigureText.format(main.maximum, main.unit)
        let rest = side.figures.dropFirst().map {
            FigureText.named($0.name, $0.median, $0.unit)
        }
        // A figure that was taken once has no range.
        let range = main.values.count == 1 ? "" : "\(minimum) … \(maximum)"
        return row(benchmark, side.name, median, range, rest.joined(separator: ", "))
    }

    private static func row(
        _ benchmark: String, _ side: String, _ median: String, _ range: String, _ rest: String
    ) -> String {
        let line =
            pad(benchmark, widths.benchmark) + pad(side, widths.side)
            + pad(median, widths.median) + pad(range, widths.range) + rest
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    /// At least one space, so that what is too long for its column still ends.
    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}
