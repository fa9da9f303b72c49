import Glibc
import Primitives
import Redis
import Storage
import TestSupport
import Testing

@testable import Ingest
@testable import Journal
@testable import Streams

/// A writer with streams, whose journal cannot be read for a while.
@Suite(.blocking) struct UnreadableJournalTests {
    private let directory: TemporaryDirectory
    private let server: RedisServer
    private let redis: GuardedRedis
    private let store: EventStore
    private let journal: Journal
    private let streams: EventStreams
    private let writer: EventWriter
    private let fault = Locked(Int32(0))

    init() throws {
        directory = try TemporaryDirectory()
        server = try RedisServer()
        redis = GuardedRedis(
            server.url(), lanes: [.streams, .consumer], clientName: "test", logger: .silent)
        store = try EventStore(path: directory.file("store.db"), now: 1, log: .silent)
        var faults = JournalFaults.none
        faults.read = { [fault] _, _ in fault.withLock { $0 } }
        journal = try Journal(
            options: JournalOptions(directory: directory.file("journal")), log: .silent,
            faults: faults)
        var options = StreamOptions(node: "n", group: "n")
        options.partitions = 1
        streams = try EventStreams(
            options, redis: redis, journal: journal, store: store,
            directory: directory.file("journal"), journalMaxBytes: 1 << 30, log: .silent)
        writer = EventWriter(
            journal: journal, store: store, retention: nil, journalMaxBytes: 1 << 30,
            streams: streams, log: .silent)
    }

    private func commit(_ id: String) { journal.commit(events: [(id, "t")]) }

    /// As another node does.
    private func send(_ id: String) throws {
        var pipeline = RedisPipeline()
        pipeline.command(
            "XADD", "millrace:{0}:events", "*", "event",
            #"{"id":"\#(id)","type":"t","source":"/s"}"#, "origin", "other:0-1")
        _ = try redis.call(.streams, within: .seconds(5)) { session throws(RedisError) in
            try session.single(pipeline).string
        }
    }

    @Test func `what others send is stored all the same, and the rest once it can be read`() throws
    {
        streams.start()
        writer.start()
        defer {
            writer.stop(until: .after(.seconds(5)))
            streams.stop(until: .after(.seconds(5)))
            journal.close()
        }
        commit("1")
        #expect(eventually { store.position == 1 && streams.forwarder.position == 1 })
        fault.withLock { $0 = ENOMEM }
        commit("2")
        #expect(eventually { writer.failure != nil })
        for id in 10..<20 {
            try send("\(id)")
            #expect(eventually { store.status.rows == Int64(id - 8) })
        }
        #expect(store.position == 1)
        fault.withLock { $0 = 0 }
        #expect(eventually { store.position == 2 && streams.forwarder.position == 2 })
        commit("3")
        #expect(eventually { store.position == 3 && store.status.rows == 13 })
        let now = MonotonicTime.now()
        #expect(
            eventually {
                let status = streams.trimmer.status
                return status.seenAt.map { $0 > now } == true && status.lag == 0
                    && status.pending == 0
            })
    }
}
