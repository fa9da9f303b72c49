import Logs
import Masking
import Primitives
import Telemetry
import TestSupport

/// A store of logs in a folder of its own, and what a test does with it.
final class LogHarness {
    /// 2026-11-01T00:00:00Z.
    static let start: Int64 = 1_793_491_200_000
    /// Ten years on: a clock that takes every day of these tests.
    static let later = start + 3650 * 86_400_000

    let directory: TemporaryDirectory
    let store: LogStore
    private let writer = LogBatchWriter(.standard)

    init(
        _ options: LogStoreOptions = LogStoreOptions(), in directory: TemporaryDirectory? = nil
    ) throws {
        var options = options
        options.gather = .zero
        let directory = try directory ?? TemporaryDirectory()
        self.directory = directory
        store = try LogStore(directory: directory.file("logs"), options, log: .silent)
        store.start()
    }

    /// Sends a body of lines as `POST /logs` does.
    /// - Returns: the codes of the refused ones.
    @discardableResult
    func post(_ lines: String..., now: Int64 = LogHarness.start + 86_400_000) throws -> [String] {
        try post(lines: lines, now: now)
    }

    @discardableResult
    func post(lines: [String], now: Int64 = LogHarness.start + 86_400_000) throws -> [String] {
        var body = ByteBuffer(capacity: 1024)
        for line in lines {
            body.append(line)
            body.append("\n")
        }
        let decoder = LogDecoder(writer, LogLimits())
        var codes: [String] = []
        let batch = try decoder.decode(body.span, as: .ndjson, now: now) {
            codes.append($0.fault.code)
        }
        guard store.offer(batch), store.flush(until: .after(.seconds(30))) else {
            throw TestError("the store did not take it")
        }
        return codes
    }

    /// The newest records that are asked for.
    func page(
        _ filter: LogFilter = LogFilter(), before: LogCursor? = nil, limit: Int = 100
    ) throws -> (records: [JSONTree], next: LogCursor?) {
        let page = try store.page(
            filter, before: before, limit: limit, deadline: .after(.seconds(30)))
        let text = "[" + page.records.text + "]"
        return (try JSONTree.parse(text).elements, page.next)
    }

    func messages(_ filter: LogFilter = LogFilter(), limit: Int = 100) throws -> [String] {
        try page(filter, limit: limit).records.map { $0["message"]?.string ?? "?" }
    }

    /// The messages of records with these words.
    func search(_ words: String) throws -> [String] {
        var filter = LogFilter()
        filter.terms = LogTerms(words)
        return try messages(filter)
    }

    /// Whether `text` stands in any file of the store, write-ahead logs included.
    func isOnDisk(_ text: String) -> Bool {
        FileSystem.names(in: directory.file("logs")).contains { name in
            FileSystem.read(directory.file("logs/" + name))?.contains(text) == true
        }
    }
}

extension [UInt8] {
    func contains(_ text: String) -> Bool { firstRange(of: Array(text.utf8)) != nil }
}
