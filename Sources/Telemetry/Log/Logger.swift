internal import CLogRing
internal import Glibc
import Primitives
package import Synchronization

/// What this service says about itself. A message is constant, and what varies is in typed fields
/// (`LogFields`), so that records can be counted and searched by both:
///
///     log.warning("tail cannot read the store") { $0.add("error", error) }
///
/// DESIGN. A call copies a record into the ring of its thread and returns: no lock, no allocation,
/// no text. One thread, the back end, merges the rings by time, samples, masks, makes lines and
/// hands them to the lanes of the sinks (`LogBackEnd`, `LogSinkLane`).
///
/// Invariants:
/// - A ring has one writer, its thread. Threads beyond the limit, and records that are written
///   while their thread writes another, go to one shared ring under a lock.
/// - A call waits for nobody, with one exception: from `warning` on it waits a bounded moment for
///   room in its ring, and after it has waited in vain not again before there was room.
/// - Each record is written to every sink or counted as dropped, with the reason. A summary in the
///   log itself says so, once a second at most.
package final class Logger: Sendable {
    /// Takes a line; it ends in a newline.
    package typealias Sink = @Sendable (UnsafeRawBufferPointer) -> Void

    /// How long a call from `warning` on waits for room: some turns of the scheduler, so that a
    /// back end that works gets a core, and little beside what a client would notice.
    private static let patience = Duration.milliseconds(10)
    private static let waitStepMicroseconds: UInt32 = 100

    @usableFromInline let threshold: Atomic<UInt8>
    private let rings: LogRings
    private let backEnd: LogBackEnd
    /// Records that were not written.
    package let drops: LogDrops
    private let recordLimitBytes: Int
    /// What has to be free for a record below `warning`: a fifth stays for those that matter.
    private let quietReserveBytes: UInt64
    private let urgentReserveBytes: UInt64

    package init(level: LogLevel, options: LogOptions = LogOptions(), outputs: [LogOutput]) {
        threshold = Atomic(level.order)
        recordLimitBytes = options.recordLimitBytes
        urgentReserveBytes = UInt64(options.recordLimitBytes)
        quietReserveBytes = max(UInt64(options.ringBytes / 5), urgentReserveBytes)
        let rings = LogRings(limit: options.ringLimit, ringBytes: options.ringBytes)
        let drops = LogDrops()
        self.rings = rings
        self.drops = drops
        backEnd = LogBackEnd(rings, outputs, options, drops)
        backEnd.start()
    }

    /// A logger that hands each line to a closure, on a thread of its own.
    /// - Parameter isHumanReadable: text; otherwise one JSON object a line.
    package convenience init(
        level: LogLevel, isHumanReadable: Bool = false, options: LogOptions = LogOptions(),
        sink: @escaping Sink
    ) {
        let look = isHumanReadable ? LogLook.text(isColoured: false) : .json
        self.init(level: level, options: options, outputs: [LogOutput(ClosureSink(sink), look)])
    }

    deinit { backEnd.letGo() }

    /// A logger that says nothing: for tests.
    package static let silent = Logger(level: .critical, outputs: [])

    package var level: LogLevel { LogLevel(order: threshold.load(ordering: .relaxed)) }

    /// Changes the level while the service runs.
    package func setLevel(_ level: LogLevel) {
        threshold.store(level.order, ordering: .relaxed)
    }

    /// Bytes that wait to be written.
    package var queuedBytes: Int { rings.usedBytes + backEnd.queuedBytes }
    /// Of them, those that the back end has not read.
    package var queuedRingBytes: Int { rings.usedBytes }
    /// Sinks and what they fail with; nil for one that works.
    package var sinks: [(name: String, error: String?)] { backEnd.sinks }

    @inlinable @inline(__always)
    package func isEnabled(_ level: LogLevel) -> Bool {
        level.order >= threshold.load(ordering: .relaxed)
    }

    @inlinable @inline(__always)
    package func log(
        _ level: LogLevel, _ message: StaticString,
        _ fields: (inout LogFields) -> Void = { _ in }
    ) {
        if isEnabled(level) { emit(level, message, fields) }
    }

    @usableFromInline
    func emit(_ level: LogLevel, _ message: StaticString, _ fields: (inout LogFields) -> Void) {
        let reserve = level >= .warning ? urgentReserveBytes : quietReserveBytes
        guard let ring = millrace_log_current(rings.id),
            let base = millrace_log_reserve(ring, reserve)
        else { return emitSlowly(level, message, fields) }
        emit(to: ring, base, level, message, fields)
    }

    private func emit(
        to ring: LogRings.Ring, _ base: UnsafeMutablePointer<UInt8>, _ level: LogLevel,
        _ message: StaticString, _ fields: (inout LogFields) -> Void
    ) {
        let size = write(at: UnsafeMutableRawPointer(base), level, message, fields)
        guard size > 0 else {
            millrace_log_abandon(ring)
            return drops.add(.tooLarge)
        }
        millrace_log_publish(ring, UInt64(size), rings.sleeping)
    }

    /// Writes a record as `LogLayout` says.
    /// - Returns: its size; 0 if it is larger than `recordLimitBytes`.
    private func write(
        at base: UnsafeMutableRawPointer, _ level: LogLevel, _ message: StaticString,
        _ fields: (inout LogFields) -> Void
    ) -> Int {
        base.storeBytes(of: millrace_log_ticks(), toByteOffset: 8, as: UInt64.self)
        base.storeBytes(
            of: UInt64(UInt(bitPattern: message.utf8Start)), toByteOffset: 16, as: UInt64.self)
        let start = base + LogLayout.headerBytes
        let context = Int(
            millrace_log_context_copy(start.assumingMemoryBound(to: UInt8.self)))
        var values = LogFields(cursor: start + context, limit: base + recordLimitBytes)
        fields(&values)
        guard !values.isTooLarge else { return 0 }
        let size = values.cursor - base
        let flags: UInt8 = context > 0 ? LogLayout.correlated : 0
        let length = UInt64(min(message.utf8CodeUnitCount, 0xFFFF))
        base.storeBytes(
            of: UInt64(size) | UInt64(level.rawValue) << 32 | UInt64(flags) << 40 | length << 48,
            as: UInt64.self)
        return size
    }

    /// The thread has no ring yet, or no room in it.
    private func emitSlowly(
        _ level: LogLevel, _ message: StaticString, _ fields: (inout LogFields) -> Void
    ) {
        guard !rings.isClosed else { return drops.add(.shutdown) }
        guard let ring = rings.ringOfThread(), ring.pointee.writing == 0 else {
            return emitShared(level, message, fields)
        }
        let isUrgent = level >= .warning
        let reserve = isUrgent ? urgentReserveBytes : quietReserveBytes
        var base = millrace_log_reserve(ring, reserve)
        if base == nil, isUrgent, ring.pointee.gave_up == 0 {
            base = waitForRoom(in: ring, reserve)
        }
        guard let base else { return drops.add(rings.isClosed ? .shutdown : .queueFull) }
        emit(to: ring, base, level, message, fields)
    }

    private func waitForRoom(
        in ring: LogRings.Ring, _ reserve: UInt64
    ) -> UnsafeMutablePointer<UInt8>? {
        let deadline = Deadline.after(Logger.patience)
        while !deadline.hasPassed, !rings.isClosed {
            millrace_log_wake(rings.sleeping)
            usleep(Logger.waitStepMicroseconds)
            if let base = millrace_log_reserve(ring, reserve) { return base }
        }
        ring.pointee.gave_up = 1
        return nil
    }

    /// Writes the record elsewhere and copies it, since its values may log themselves.
    private func emitShared(
        _ level: LogLevel, _ message: StaticString, _ fields: (inout LogFields) -> Void
    ) {
        let base = UnsafeMutableRawPointer.allocate(byteCount: recordLimitBytes, alignment: 8)
        defer { base.deallocate() }
        let size = write(at: base, level, message, fields)
        guard size > 0 else { return drops.add(.tooLarge) }
        let reserve = level >= .warning ? urgentReserveBytes : quietReserveBytes
        let record = UnsafeRawBufferPointer(start: base, count: size)
        let deadline = Deadline.after(level >= .warning ? Logger.patience : .zero)
        while !rings.pushShared(record, reserve) {
            guard !rings.isClosed, !rings.isSharedStuck, !deadline.hasPassed else {
                rings.giveUpShared()
                return drops.add(rings.isClosed ? .shutdown : .queueFull)
            }
            millrace_log_wake(rings.sleeping)
            usleep(Logger.waitStepMicroseconds)
        }
    }

    /// Waits until all sinks have what was logged before the call.
    /// - Returns: false if the deadline passed first.
    @discardableResult
    package func flush(within limit: Duration = .seconds(10)) -> Bool {
        backEnd.flush(until: .after(limit))
    }

    /// Sinks that write to files open them anew: somebody has renamed them.
    package func reopen() { backEnd.reopen() }

    /// Writes what was logged and ends the threads. Records that come later, and those that the
    /// sinks did not take in time, are dropped and counted.
    package func close(within limit: Duration = .seconds(10)) {
        backEnd.close(until: .after(limit))
    }

    /// Where a fault or `abort` ends the process, the back end gets a moment to write what the
    /// rings hold. For one logger of the process.
    package func flushOnFatalSignal() { backEnd.flushOnFatalSignal() }
}
