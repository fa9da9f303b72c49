import ArgumentParser
import Primitives
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

    func validate() throws {
        guard (entries + bytes).allSatisfy({ $0 > 0 }) else {
            throw ValidationError("Sizes must be above 0.")
        }
    }

    func run() throws {
        for file in files {
            let trace = try CacheTrace.read(file)
            StandardStream.output.write(
                "\(file): \(trace.keys.count) questions, \(trace.keyCount) keys\n")
            let sizes: [ReplaySize] =
                entries.map { .entries($0) } + bytes.map { .bytes($0) }
            for size in sizes.isEmpty ? ReplaySize.suggested(trace) : sizes {
                let result = ReplayResult(trace, size)
                StandardStream.output.write(result.line + "\n")
            }
        }
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

    var capacity: Int {
        switch self {
        case .entries(let count): count
        case .bytes(let count): count
        }
    }
}
