import Glibc
import Primitives
import Telemetry
import Testing

@testable import Events

/// A folder of the test's own, removed with the last reference.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/millrace-journal-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { TemporaryDirectory.remove(path) }

    /// Removes a folder and what is in it.
    static func remove(_ path: String) {
        for name in names(path) {
            let inner = path + "/" + name
            if unlink(inner) != 0 { remove(inner) }
        }
        rmdir(path)
    }

    static func names(_ path: String) -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func names(_ suffix: String) -> [String] {
        TemporaryDirectory.names(path).filter { $0.hasSuffix(suffix) }
    }

    func read(_ name: String) throws -> [UInt8] {
        let file = open(path + "/" + name, O_RDONLY)
        try #require(file >= 0)
        defer { close(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = Glibc.read(file, &block, block.count)
            guard count > 0 else { return bytes }
            bytes += block[..<count]
        }
    }

    func write(_ name: String, _ bytes: some Collection<UInt8>) throws {
        let file = open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        let bytes = Array(bytes)
        try #require(Glibc.write(file, bytes, bytes.count) == bytes.count)
    }

    /// Overwrites one byte where it lies.
    func poke(_ name: String, at offset: Int, _ byte: UInt8) throws {
        let file = open(path + "/" + name, O_WRONLY)
        try #require(file >= 0)
        defer { close(file) }
        try #require(withUnsafeBytes(of: byte) { pwrite(file, $0.baseAddress, 1, offset) } == 1)
    }

    func size(_ name: String) -> Int {
        var status = stat()
        return stat(path + "/" + name, &status) == 0 ? Int(status.st_size) : -1
    }
}

/// One record a payload.
func batch(_ payloads: [String]) -> JournalBatch {
    let batch = JournalBatch()
    for payload in payloads {
        batch.beginRecord()
        batch.bytes.append(payload)
        batch.endEvent()
        batch.endRecord()
    }
    return batch
}

/// Text of `bytes` length that says which it is.
func payload(_ number: Int, bytes: Int = 0) -> String {
    let text = "payload-\(number)-"
    return text + String(repeating: "x", count: max(0, bytes - text.utf8.count))
}

/// Collects outcomes from the committer's thread.
final class Outcomes: Sendable {
    private let state = Monitor<[JournalOutcome]>([])

    var completion: Journal.Completion {
        { [state] _, outcome in state.change { $0.append(outcome) } }
    }

    var count: Int { state.withLock { $0.count } }

    /// All outcomes once there are `count`; what there is after ten seconds.
    func wait(_ count: Int) -> [JournalOutcome] {
        _ = state.wait(
            until: .after(.seconds(10)), for: { $0.count >= count }, then: { _ in })
        return state.withLock { $0 }
    }
}

/// Waits until `condition` holds, for at most ten seconds.
func eventually(_ condition: () -> Bool) -> Bool {
    let deadline = Deadline.after(.seconds(10))
    while !condition() {
        guard !deadline.hasPassed else { return false }
        usleep(1000)
    }
    return true
}

extension Journal {
    /// Submits and waits for the answer.
    func commit(_ payloads: [String]) -> JournalOutcome {
        let outcomes = Outcomes()
        submit(batch(payloads), completion: outcomes.completion)
        return outcomes.wait(1).first ?? .unwritable(code: ETIMEDOUT)
    }
}

struct ReadRecord: Equatable {
    var sequence: UInt64
    var payload: String
}

extension JournalReader {
    /// Everything that is committed from here on.
    func drain() throws -> [ReadRecord] {
        var records: [ReadRecord] = []
        while true {
            let entries = try next()
            guard !entries.isEmpty else { return records }
            for entry in entries {
                records.append(
                    ReadRecord(
                        sequence: entry.sequence,
                        payload: String(decoding: entry.payload, as: UTF8.self)))
            }
        }
    }
}

func options(_ directory: TemporaryDirectory, segmentBytes: Int = 64 << 10) -> JournalOptions {
    JournalOptions(directory: directory.path + "/journal", segmentBytes: segmentBytes)
}

func open(
    _ options: JournalOptions, from minimum: UInt64 = 1, faults: JournalFaults = .none
) throws -> Journal {
    try Journal(options: options, minimumNextSequence: minimum, log: .silent, faults: faults)
}
