internal import CLogRing
import Primitives

/// The logger's one reader: a thread that takes records from all rings in the order of their times,
/// leaves out those that sampling drops, makes lines of the others and hands them to the lanes.
///
/// It looks at the rings every 10 ms and is not woken for a record; a ring that is half full wakes
/// it. A record is taken a moment after its time (`grace`), since a thread takes the time, may lose
/// its core, and publishes later. Where a ring fills up, order gives way.
final class LogBackEnd: @unchecked Sendable {  // `merger`, `writer`, `summary`: its thread's alone.
    private struct State {
        /// Counts requests to write everything, and those that are done.
        var flushesAsked = 0
        var flushesDone = 0
        /// Set by `close`: when everything has to be written.
        var closing: Deadline?
        var hasEnded = false
    }

    private static let idleNanoseconds: UInt64 = 10_000_000
    /// While there are records that are too young.
    private static let youngNanoseconds: UInt64 = 1_000_000

    private let rings: LogRings
    private let lanes: [LogSinkLane]
    private let state = Monitor(State())
    private var merger: LogMerger
    private var writer: LogWriter
    private var summary: LogSummary
    /// Words that a signal handler uses: asked to write everything, and done.
    // The pointer never changes, and its words are read and written by atomic instructions alone.
    nonisolated(unsafe) private let fatal: UnsafeMutablePointer<UInt32>

    init(_ rings: LogRings, _ outputs: [LogOutput], _ options: LogOptions, _ drops: LogDrops) {
        self.rings = rings
        let lanes = outputs.map { ($0.look, LogSinkLane($0.sink, drops: drops)) }
        self.lanes = lanes.map(\.1)
        merger = LogMerger(rings)
        writer = LogWriter(lanes, options, drops)
        summary = LogSummary(drops)
        fatal = .allocate(capacity: 2)
        fatal.initialize(repeating: 0, count: 2)
    }

    deinit { fatal.deallocate() }

    var queuedBytes: Int { lanes.reduce(0) { $0 + $1.queuedBytes } }
    var sinks: [(name: String, error: String?)] { lanes.map { ($0.sink.name, $0.error) } }

    func start() { _ = Thread(name: "log") { [self] in run() } }

    func reopen() { for lane in lanes { lane.sink.reopen() } }

    func flush(until deadline: Deadline) -> Bool {
        let wanted = state.withLock { state -> Int in
            state.flushesAsked += 1
            return state.flushesAsked
        }
        millrace_log_wake(rings.sleeping)
        let isDone: Bool? = state.wait(
            until: deadline, for: { $0.flushesDone >= wanted || $0.hasEnded }, then: { _ in true })
        for lane in lanes { lane.drain(until: deadline) }
        return isDone == true && !deadline.hasPassed
    }

    /// Begins to end, and waits for nothing.
    func letGo() {
        state.withLock { $0.closing = $0.closing ?? .after(.seconds(10)) }
        millrace_log_wake(rings.sleeping)
    }

    func close(until deadline: Deadline) {
        state.withLock { $0.closing = $0.closing ?? deadline }
        millrace_log_wake(rings.sleeping)
        _ = state.wait(until: deadline, for: { $0.hasEnded }, then: { _ in })
    }

    func flushOnFatalSignal() {
        // The handler may use it as long as the process lives.
        _ = Unmanaged.passRetained(self)
        millrace_log_flush_on_fatal_signal(rings.sleeping, fatal, fatal + 1, 2_000)
    }

    private func run() {
        millrace_log_is_back_end()
        while true {
            let (asked, closing) = state.withLock { ($0.flushesAsked, $0.closing) }
            if let closing { return end(closing) }
            let isFatal = millrace_log_load32(fatal) != 0
            let isAll = isFatal || state.withLock { $0.flushesDone < asked }
            let moved = pass(takesAll: isAll)
            if isAll { state.change { $0.flushesDone = asked } }
            if isFatal { return answerFatalSignal() }
            if !moved { rest() }
        }
    }

    /// - Returns: whether there was a record.
    private func pass(takesAll: Bool) -> Bool {
        var moved = false
        repeat {
            let taken = merger.pass(takesAll: takesAll) { writer.add($0) }
            moved = moved || taken > 0
            if !takesAll || taken == 0 { break }
        } while true
        // A summary that is dropped in turn would tell nobody.
        if lanes.contains(where: \.hasRoom) { summary.add(to: &writer, isLast: false) }
        writer.handOver()
        return moved
    }

    /// Sleeps, unless something is asked.
    private func rest() {
        rings.freeOrphans()
        millrace_log_store32(rings.sleeping, 1)
        let isAsked = state.withLock { $0.closing != nil || $0.flushesDone < $0.flushesAsked }
        guard !isAsked, millrace_log_load32(fatal) == 0 else {
            return millrace_log_store32(rings.sleeping, 0)
        }
        millrace_log_sleep(
            rings.sleeping,
            merger.hasYoung ? LogBackEnd.youngNanoseconds : LogBackEnd.idleNanoseconds)
    }

    private func end(_ deadline: Deadline) {
        rings.close()
        _ = pass(takesAll: true)
        summary.add(to: &writer, isLast: true)
        writer.handOver()
        for lane in lanes { lane.close(until: deadline) }
        state.change { $0.hasEnded = true }
    }

    private func answerFatalSignal() {
        for lane in lanes { lane.drain(until: .after(.milliseconds(1_800))) }
        millrace_log_store32(fatal + 1, 1)
    }
}
