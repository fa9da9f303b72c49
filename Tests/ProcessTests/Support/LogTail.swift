import TestSupport

/// A client of `GET /logs/tail`.
struct LogTail {
    private let tail: EventTail

    init(
        _ service: RunningService, _ parameters: String = "", after lastID: String? = nil
    ) throws {
        tail = try EventTail(service, parameters, after: lastID, path: "/logs/tail")
    }

    func nextMessage() throws -> EventTail.Message { try tail.next(1)[0] }

    /// The next record as it came.
    func next() throws -> String { try nextMessage().data }

    /// The `message` of a record.
    static func text(_ message: EventTail.Message) -> String? {
        (try? JSONTree.parse(message.data))?["message"]?.string
    }
}

/// What a service has written.
enum LogFiles {
    /// Every file of the data directory by its path in there.
    static func contents(_ dataDirectory: String) throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for folder in ["", "logs/", "journal/"] {
            for name in FileSystem.names(in: dataDirectory + "/" + folder) {
                contents[folder + name] = FileSystem.read(dataDirectory + "/" + folder + name)
            }
        }
        return contents
    }
}

extension RunningService {
    /// Waits until every record that was accepted can be searched.
    func waitUntilLogsAreStored() throws {
        try wait(until: "all logs are stored") {
            let logs = try get("/status").json()["logs"]
            return logs?["queued"]?.integer == 0
        }
    }
}
