import Primitives
import Storage
import Telemetry
import TestSupport
import Testing

@testable import Sinks

/// A store in a folder of its own and sinks that read it. The test's thread is the store's writer.
final class SinkHarness {
    private let directory: TemporaryDirectory
    private(set) var store: EventStore
    private(set) var sinks: Sinks
    private let options: [SinkOptions]
    private let log: Logger

    init(_ options: [SinkOptions], log: Logger = .silent) throws {
        directory = try TemporaryDirectory()
        self.options = options
        self.log = log
        (store, sinks) = try SinkHarness.open(directory, options, log)
        sinks.start()
    }

    deinit {
        sinks.stop(until: .after(.milliseconds(1)))
        store.close(deadline: .after(.seconds(1)))
    }

    private static func open(
        _ directory: TemporaryDirectory, _ options: [SinkOptions], _ log: Logger
    ) throws -> (EventStore, Sinks) {
        let store = try EventStore(path: directory.file("store.db"), now: 1, log: .silent)
        let sinks = try Sinks(options, store: store, userAgent: "millrace/test", log: log)
        return (store, sinks)
    }

    var status: SinkStatus { sinks.statuses[0] }

    /// Stores events `e<number>` in one transaction.
    func store(_ numbers: Range<Int>, type: String = "order.paid", data: String = "{}") throws {
        try store.write(position: nil) { (inserter) throws(StorageError) in
            for number in numbers {
                let held = (Bytes("e\(number)"), Bytes(type), Bytes("/test"), Bytes(data))
                defer { withExtendedLifetime(held) {} }
                try inserter.add(
                    EventRow(
                        identity: .client(held.0.span), time: 1_431_857_100_000,
                        type: held.1.span, source: held.2.span, subject: nil, data: held.3.span,
                        extensions: nil))
                if let rejected = try inserter.flush().first { throw rejected.error }
            }
        }
    }

    /// What the writer's thread does between batches.
    func maintain() throws { try store.maintain(now: .now(), isIdle: true) }

    /// Waits, doing the writer's work meanwhile.
    func wait(until isSo: () -> Bool, within limit: Duration = .seconds(15)) throws -> Bool {
        let deadline = Deadline.after(limit)
        while !isSo() {
            if deadline.hasPassed { return false }
            try maintain()
            sleep(until: .after(.milliseconds(5)))
        }
        try maintain()
        return true
    }

    func deadLetters() throws -> [DeadLetter] {
        try store.deadLetters(limit: 1000, deadline: .after(.seconds(5))).letters
    }

    func quarantine() throws -> [QuarantinedEvent] {
        try maintain()
        return try store.quarantined(limit: 1000, deadline: .after(.seconds(5)))
    }

    /// Replays on another thread, and does the writer's work meanwhile.
    func replay(_ name: String) throws -> SinkReplay {
        let outcome: Locked<Result<SinkReplay, SinkReplayError>?> = Locked(nil)
        let sinks = sinks
        let thread = Thread(name: "replay") {
            do throws(SinkReplayError) {
                let replay = try sinks.replay(name, deadline: .after(.seconds(10)))
                outcome.withLock { $0 = .success(replay) }
            } catch { outcome.withLock { $0 = .failure(error) } }
        }
        defer { thread.join() }
        try #require(try wait { outcome.withLock { $0 != nil } })
        return try #require(outcome.withLock { $0 }).get()
    }

    /// Stops the sinks and the store and opens both again, as a restart does.
    func restart(saving: Bool = true) throws {
        sinks.stop(until: .after(.seconds(1)))
        if saving { store.close(deadline: .after(.seconds(1))) }
        (store, sinks) = try SinkHarness.open(directory, options, log)
        sinks.start()
    }
}

func names(_ numbers: Range<Int>) -> [String] { numbers.map { "e\($0)" } }
