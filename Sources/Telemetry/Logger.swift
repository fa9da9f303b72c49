import Primitives
internal import Synchronization

/// What this service says about itself. A message is constant, and what varies is in typed fields
/// (`LogFields`), so that records can be counted and searched by both. A call puts a finished line into a bounded queue and
/// returns; one thread writes. Full: the record is dropped and counted, nobody waits.
package final class Logger: Sendable {
    /// Where lines go. Called by the logger's thread alone; bytes end in a newline.
    package typealias Sink = @Sendable (UnsafeRawBufferPointer) -> Void

    private struct State {
        var pending: [Bytes] = []
        var pendingBytes = 0
        var isClosed = false
    }

    /// 4 MiB of lines: some ten thousand records, seconds of a busy access log.
    private static let queueLimitBytes = 4 << 20

    private let threshold: Atomic<Int>
    private let dropCount = Atomic<UInt64>(0)
    private let state = Monitor(State())
    private let isHumanReadable: Bool
    private let thread = ThreadSlot()

    /// - Parameter isHumanReadable: text for a terminal; otherwise one JSON object a line.
    package init(level: LogLevel, isHumanReadable: Bool = false, sink: @escaping Sink) {
        threshold = Atomic(level.rawValue)
        self.isHumanReadable = isHumanReadable
        let state = state
        thread.start(name: "log") { Logger.write(state, to: sink) }
    }

    /// A logger that says nothing: for tests.
    package static let silent = Logger(level: .critical) { _ in }

    /// Records below it cost a load and a branch.
    package var level: LogLevel { LogLevel(rawValue: threshold.load(ordering: .relaxed)) ?? .info }

    /// Changes the level while the service runs.
    package func setLevel(_ level: LogLevel) {
        threshold.store(level.rawValue, ordering: .relaxed)
    }

    /// Records that found the queue full, since start.
    package var dropped: UInt64 { dropCount.load(ordering: .relaxed) }
    /// Bytes that wait to be written.
    package var queuedBytes: Int { state.withLock { $0.pendingBytes } }

    package func isEnabled(_ level: LogLevel) -> Bool {
        level.rawValue >= threshold.load(ordering: .relaxed)
    }

    package func log(
        _ level: LogLevel, _ message: StaticString,
        _ fields: (inout LogFields) -> Void = { _ in }
    ) {
        guard isEnabled(level) else { return }
        let time = WallClock.nowMilliseconds()
        let line =
            isHumanReadable
            ? LogLine.text(time, level, message, fields)
            : LogLine.json(time, level, message, fields)
        let isQueued = state.change { state -> Bool in
            guard !state.isClosed, state.pendingBytes + line.count <= Logger.queueLimitBytes else {
                return false
            }
            state.pending.append(line)
            state.pendingBytes += line.count
            return true
        }
        if !isQueued { dropCount.add(1, ordering: .relaxed) }
    }

    package func debug(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) { log(.debug, message, fields) }

    package func info(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) { log(.info, message, fields) }

    package func notice(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) { log(.notice, message, fields) }

    package func warning(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) { log(.warning, message, fields) }

    package func error(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) { log(.error, message, fields) }

    package func critical(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) { log(.critical, message, fields) }

    /// Writes what is queued and ends the thread. Records that come later are dropped and counted.
    package func close() {
        state.change { $0.isClosed = true }
        thread.join()
    }

    private static func write(_ state: Monitor<State>, to sink: Sink) {
        while true {
            let lines = state.wait(for: { !$0.pending.isEmpty || $0.isClosed }) { state in
                defer {
                    state.pending = []
                    state.pendingBytes = 0
                }
                return state.pending
            }
            guard let lines, !lines.isEmpty else { return }
            for line in lines { sink(line.span) }
        }
    }
}
