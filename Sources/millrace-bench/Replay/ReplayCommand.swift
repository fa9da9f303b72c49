import ArgumentParser
import Primitives
import ProcessSupport
import Service

/// Plays a trace of what some cache was asked for, and tells how often the cache here would have had
/// it, beside LRU and beside the optimum.
struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Play public traces of cache accesses.",
        discussion: """
            A line is a key; a key and its size; a time, a key and its size; or, as in the ARC \
            traces, 'start count x n' for that many blocks from a first one. Text and gzip are \
            read.

            Example:

              millrace-bench replay OLTP.lis --entries 250 --entries 1000
              millrace-bench replay cdn.csv.gz --bytes 268435456
            """)

    @Argument(help: "Traces, each played on its own.")
    var files: [String]

    @Option(help: "Size of the cache in entries; may be repeated.")
    var entries: [Int] = []

    @Option(help: "Size of the cache in bytes, for traces with sizes; may be repeated.")
    var bytes: [Int] = []

    @Option(help: "Write the hits to this file as well, as JSON.")
    var json: String?

    func validate() throws {
        guard (entries + bytes).allSatisfy({ $0 > 0 }) else {
            throw ValidationError("Sizes must be above 0.")
        }
    }

    func run() throws {
        var report: [JSONValue] = []
        for file in files {
            let trace = try CacheTrace.read(file)
            StandardStream.output.write(
                "\(file): \(trace.keys.count) questions, \(trace.keyCount) keys\n")
            let sizes: [ReplaySize] =
                entries.map { .entries($0) } + bytes.map { .bytes($0) }
            var results: [ReplayResult] = []
            for size in sizes.isEmpty ? ReplaySize.suggested(trace) : sizes {
                let result = ReplayResult(trace, size)
                StandardStream.output.write(result.line + "\n")
                results.append(result)
            }
            report.append(
                .object([
                    ("file", .string(file)), ("questions", .integer(Int64(trace.keys.count))),
                    ("keys", .integer(Int64(trace.keyCount))),
                    ("results", .array(results.map(\.json))),
                ]))
        }
        guard let json else { return }
        var text = ByteBuffer(capacity: 4096)
        text.append(json: .array(report))
        text.append("\n")
        try attempt("the report") { try FileSystem.write(text.span, to: json) }
    }
}

/// How large the cache is that a trace is played to.
enum ReplaySize: Sendable {
    case entries(Int)
    case bytes(Int)

    /// A tenth and a hundredth of the keys.
    static func suggested(_ trace: CacheTrace) -> [ReplaySize] {
        [.entries(max(trace.keyCount / 100, 1)), .entries(max(trace.keyCount / 10, 1))]
    }

    var text: String {
        switch self {
        case .entries(let count): "\(count) entries"
        case .bytes(let count): FigureText.format(Double(count), .bytes)
        }
    }

    var unit: String {
        switch self {
        case .entries: "entries"
        case .bytes: "bytes"
        }
    }

    var capacity: Int {
        switch self {
        case .entries(let count): count
        case .bytes(let count): count
        }
    }
}
