import Glibc
import Primitives
import Telemetry
import TestSupport
import Testing

@testable import Journal

extension TemporaryDirectory {
    /// Overwrites one byte where it lies.
    func poke(_ name: String, at offset: Int, _ byte: UInt8) throws {
        let file = open(path + "/" + name, O_WRONLY)
        try #require(file >= 0)
        defer { close(file) }
        try #require(withUnsafeBytes(of: byte) { pwrite(file, $0.baseAddress, 1, offset) } == 1)
    }

    /// Changes a byte of `text` in the file of `folder` that has it, where it lies.
    func damage(_ text: String, in folder: String) throws {
        for name in FileSystem.names(in: path + "/" + folder) {
            let file = folder + "/" + name
            guard let bytes = FileSystem.read(path + "/" + file),
                let found = bytes.firstRange(of: Array(text.utf8))
            else { continue }
            return try poke(file, at: found.lowerBound, bytes[found.lowerBound] ^ 1)
        }
        throw TestError("no file has \(text)")
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
