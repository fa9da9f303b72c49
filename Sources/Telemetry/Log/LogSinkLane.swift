import Primitives

/// Lines on their way to a sink, and how many records they are.
struct LogChunk: Sendable {
    let lines: Bytes
    let records: Int

    /// The lines of `chunks` in fewer chunks of at most `bytes`, but for one that is larger alone.
    static func joined(_ chunks: [LogChunk], atMost bytes: Int) -> [LogChunk] {
        var joined: [LogChunk] = []
        var start = 0
        while start < chunks.count {
            var (end, size) = (start, 0)
            while end < chunks.count, end == start || size + chunks[end].lines.count <= bytes {
                size += chunks[end].lines.count
                end += 1
            }
            var lines = ByteBuffer(capacity: size)
            for chunk in chunks[start..<end] { lines.append(chunk.lines.span) }
            let records = chunks[start..<end].reduce(0) { $0 + $1.records }
            joined.append(LogChunk(lines: lines.freeze(), records: records))
            start = end
        }
        return joined
    }
}

/// A sink's own thread and queue.
///
/// Invariants:
/// - The queue holds at most `limitBytes`; what finds no room is dropped and counted.
/// - Nobody but the lane's thread waits for the sink. The back end waits for room in the queue once
///   (`patience`), and not again before the sink has taken something: a slow file paces the back
///   end, a blocked pipe does not hold it up.
/// - A sink that fails is tried again after pauses that double; its lines wait in the queue.
final class LogSinkLane: Sendable {
    private struct State {
        var queue: [LogChunk] = []
        /// Of the queue, and of what the sink is writing.
        var bytes = 0
        var records = 0
        /// The back end has waited in vain since the sink last took something.
        var isStuck = false
        /// Somebody waits until all is written, so lines are not gathered.
        var drains = 0
        var isFailing = false
        var error: String?
        /// Ends with the queue empty, or at this time.
        var closing: Deadline?
        var hasEnded = false
        /// The deadline passed, and what was left has been counted.
        var isGivenUp = false
    }

    /// Seconds of a busy access log.
    static let limitBytes = 4 << 20
    private static let patience = Duration.milliseconds(100)
    private static let firstPause = Duration.milliseconds(50)
    private static let longestPause = Duration.seconds(10)

    let sink: any LogSink
    private let drops: LogDrops
    private let state = Monitor(State())

    init(_ sink: any LogSink, drops: LogDrops) {
        self.sink = sink
        self.drops = drops
        // It ends by itself; a join could wait for a sink that never answers.
        _ = Thread(name: "log-\(sink.name)") { [self] in run() }
    }

    var queuedBytes: Int { state.withLock { $0.bytes } }
    /// What the sink fails with; nil while it works.
    var error: String? { state.withLock { $0.error } ?? sink.complaint }

    /// Whether what is offered now will most likely be written.
    var hasRoom: Bool {
        state.withLock { !$0.isStuck && $0.bytes < LogSinkLane.limitBytes / 2 }
    }

    /// Queues a chunk, or drops it. The back end's thread.
    func offer(_ chunk: LogChunk) {
        let size = chunk.lines.count
        func hasRoom(_ state: State) -> Bool { state.bytes + size <= LogSinkLane.limitBytes }
        // A sink that gathers is far away, and what it takes at a time would pace all others.
        let mayPace = sink.gathering == nil
        let isPatient = state.withLock {
            hasRoom($0) || (mayPace && !($0.isStuck || $0.isFailing))
        }
        let deadline = isPatient ? Deadline.after(LogSinkLane.patience) : Deadline(.now())
        let isQueued: Bool? = state.wait(until: deadline, for: { hasRoom($0) || $0.isFailing }) {
            guard hasRoom($0) else { return false }
            $0.queue.append(chunk)
            $0.bytes += size
            $0.records += chunk.records
            return true
        }
        if isQueued == true { return state.change { _ in } }
        let isFailing = state.withLock { state in
            state.isStuck = true
            return state.isFailing
        }
        drops.add(isFailing ? .sinkError : .queueFull, chunk.records)
    }

    /// Waits until the sink has all that was queued.
    func drain(until deadline: Deadline) {
        state.change { $0.drains += 1 }
        _ = state.wait(until: deadline, for: { $0.bytes == 0 || $0.hasEnded }, then: { _ in })
        state.withLock { $0.drains -= 1 }
    }

    /// Writes what is queued and ends, at the deadline at the latest; what is left then is dropped
    /// and counted.
    func close(until deadline: Deadline) {
        state.change { $0.closing = deadline }
        let hasEnded: Bool? = state.wait(
            until: deadline, for: { $0.hasEnded }, then: { _ in true })
        guard hasEnded == nil else { return }
        // What the sink holds at this moment may still be written, and counts as lost all the same.
        let left = state.withLock { state in
            state.queue = []
            state.isGivenUp = true
            return state.records
        }
        drops.add(.shutdown, left)
    }

    private func run() {
        while let chunks = next() {
            for chunk in chunks {
                write(chunk)
                state.change {
                    $0.bytes -= chunk.lines.count
                    $0.records -= chunk.records
                    $0.isStuck = false
                }
            }
        }
        state.change { $0.hasEnded = true }
    }

    private func next() -> [LogChunk]? {
        let hasMore: Bool? = state.wait(for: { !$0.queue.isEmpty || $0.closing != nil }) {
            !$0.queue.isEmpty
        }
        guard hasMore == true else { return nil }
        guard let gathering = sink.gathering else { return takeQueue() }
        _ = state.wait(
            until: .after(gathering.time),
            for: { $0.closing != nil || $0.drains > 0 || $0.bytes >= gathering.bytes },
            then: { _ in })
        return LogChunk.joined(takeQueue(), atMost: gathering.bytes)
    }

    private func takeQueue() -> [LogChunk] {
        state.withLock { state in
            defer { state.queue = [] }
            return state.queue
        }
    }

    private func write(_ chunk: LogChunk) {
        var rest = chunk.lines.span
        var pause = LogSinkLane.firstPause
        while true {
            do throws(LogSinkError) {
                try sink.write(rest)
                return recovered()
            } catch {
                if let refused = error.refused { return settle(error, refused) }
                rest = UnsafeRawBufferPointer(rebasing: rest[error.written...])
                guard wait(pause, after: error) else {
                    return giveUp(chunk)
                }
                pause = min(pause * 2, LogSinkLane.longestPause)
            }
        }
    }

    private func giveUp(_ chunk: LogChunk) {
        if !state.withLock({ $0.isGivenUp }) { drops.add(.sinkError, chunk.records) }
    }

    private func settle(_ error: LogSinkError, _ refused: Int) {
        drops.add(.sinkError, refused)
        state.change {
            $0.isFailing = false
            $0.error = error.description
        }
    }

    private func recovered() {
        let hadFailed = state.withLock { $0.isFailing || $0.error != nil }
        guard hadFailed else { return }
        state.change {
            $0.isFailing = false
            $0.error = nil
        }
    }

    /// - Returns: false if there is no time left to try again.
    private func wait(_ pause: Duration, after error: LogSinkError) -> Bool {
        state.change {
            $0.isFailing = true
            $0.error = error.description
        }
        let end = Deadline.after(pause)
        let isLast: Bool? = state.wait(
            until: end, for: { $0.closing.map { $0.hasPassed || $0 < end } ?? false },
            then: { _ in true })
        return isLast == nil
    }
}
