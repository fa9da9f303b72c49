internal import Glibc
import Primitives
import Telemetry

/// The thread that makes segments ready before they are needed and clears away those that nobody
/// needs any more, so that the committer waits for neither.
final class JournalKeeper: Sendable {
    struct Work {
        var isSpareWanted = false
        var isReleased = false
        var isClosed = false
        var jobs: [@Sendable () -> Void] = []
        /// After a failure nothing is tried before.
        var notBefore = Deadline(MonotonicTime(nanoseconds: 0))
    }

    /// Segments kept ready: the next one, and one for a burst.
    static let spareLimit = 2
    /// How much is written before a sync while a segment is filled: a longer queue at the disk
    /// would delay the committer's sync behind it.
    private static let fillStepBytes = 4 << 20
    private static let fillBlockBytes = 1 << 20
    /// A spare is made only if the disk has room for this many.
    private static let freeSegments = 4
    private static let retryInterval = Duration.seconds(1)

    private let work = Monitor(Work())
    private let catalog: Monitor<JournalCatalog>
    private let directory: JournalDirectory
    private let options: JournalOptions
    private let salt: UInt32
    private let log: Logger

    init(
        catalog: Monitor<JournalCatalog>, directory: JournalDirectory, options: JournalOptions,
        salt: UInt32, log: Logger
    ) {
        self.catalog = catalog
        self.directory = directory
        self.options = options
        self.salt = salt
        self.log = log
    }

    /// Asks for a spare segment. Costs a lock.
    func wantSpare() {
        let isNews = work.withLock { work -> Bool in
            defer { work.isSpareWanted = true }
            return !work.isSpareWanted
        }
        if isNews { work.change { _ in } }
    }

    /// Consumers went on: segments may be free.
    func clear() { work.change { $0.isReleased = true } }

    /// Has `job` done between two chores: no segment is cleared away or made ready meanwhile.
    func perform(_ job: @escaping @Sendable () -> Void) { work.change { $0.jobs.append(job) } }

    func close() { work.change { $0.isClosed = true } }

    /// Ends when closed; what is half done is finished first.
    func run() {
        while let task = next() {
            guard !task.isClosed else { return }
            for job in task.jobs { job() }
            do throws(JournalError) {
                if task.isReleased { try clearReleased() }
                if task.isSpareWanted { try prepareSpare() }
            } catch {
                log.warning("the journal's segments cannot be kept in order") {
                    $0.add("error", error.message)
                }
                work.withLock {
                    $0.isReleased = $0.isReleased || task.isReleased
                    $0.isSpareWanted = $0.isSpareWanted || task.isSpareWanted
                    $0.notBefore = .after(JournalKeeper.retryInterval)
                }
            }
        }
    }

    private func next() -> Work? {
        let pause = work.withLock { $0.notBefore }
        if !pause.hasPassed {
            _ = work.wait(until: pause, for: { $0.isClosed }, then: { _ in })
        }
        return work.wait {
            $0.isSpareWanted || $0.isReleased || $0.isClosed || !$0.jobs.isEmpty
        } then: { work in
            defer {
                work.isSpareWanted = false
                work.isReleased = false
                work.jobs = []
            }
            return work
        }
    }
}

// MARK: Spares

extension JournalKeeper {
    private func prepareSpare() throws(JournalError) {
        // On a nearly full disk zeros would take what events could use.
        guard try directory.freeBytes() >= JournalKeeper.freeSegments * options.segmentBytes else {
            return work.withLock {
                $0.isSpareWanted = true
                $0.notBefore = .after(JournalKeeper.retryInterval)
            }
        }
        let number = catalog.withLock { $0.spares.isEmpty ? $0.takeNumber() : nil }
        guard let number else { return }
        let name = JournalInventory.name(number)
        let temporary = name + JournalInventory.temporarySuffix
        do throws(JournalError) {
            try fill(try directory.create(temporary))
            try directory.rename(temporary, to: name)
            try directory.sync()
        } catch {
            try? directory.remove(temporary)
            throw error
        }
        let spare = try directory.open(name, isReadOnly: false)
        catalog.withLock { $0.spares.append(spare) }
    }

    /// Zeros are written and not only reserved: a sync of reserved space would commit the file
    /// system's metadata with it.
    private func fill(_ file: SegmentFile) throws(JournalError) {
        // The memory is never written, so it costs no pages.
        let zeros = UnsafeRawBufferPointer(
            start: calloc(1, JournalKeeper.fillBlockBytes), count: JournalKeeper.fillBlockBytes)
        defer { free(UnsafeMutableRawPointer(mutating: zeros.baseAddress)) }
        var offset = 0
        while offset < options.segmentBytes {
            let count = min(zeros.count, options.segmentBytes - offset)
            var code = file.write(
                [iovec(UnsafeRawBufferPointer(rebasing: zeros[..<count]))], at: offset)
            offset += count
            let isStep = offset % JournalKeeper.fillStepBytes == 0
            if code == 0, isStep { code = file.syncData() }
            guard code == 0 else { throw .system(.unwritable, "write", file.path, code) }
        }
        try markSpare(file)
    }

    private func markSpare(_ file: SegmentFile) throws(JournalError) {
        let blocks = WriteBlocks()
        let header = JournalSegmentHeader(salt: salt, ordinal: 0, first: 0)
        var code = file.write([blocks.headerPart(header)], at: 0)
        if code == 0 { code = file.syncData() }
        guard code == 0 else { throw .system(.unwritable, "write", file.path, code) }
    }
}

// MARK: Released segments

extension JournalKeeper {
    /// Crash-safe at every step: the position is on disk before the first segment goes, and a
    /// segment becomes a spare by one write of its header.
    private func clearReleased() throws(JournalError) {
        let (surplus, floor) = catalog.withLock { catalog in
            let surplus = catalog.surplus(retainBytes: options.retainBytes)
            return (surplus, surplus.isEmpty ? 0 : catalog.end(surplus.count - 1) - 1)
        }
        guard !surplus.isEmpty else { return }
        do throws(JournalError) {
            try JournalPosition.write(floor, in: directory)
        } catch {
            // On a full disk the position finds no room, and only this makes some. The oldest one
            // leaves no hole.
            guard error.isFull else { throw error }
            try drop(1)
            try directory.sync()
            try JournalPosition.write(floor, in: directory)
            return try clearReleased()
        }
        catalog.withLock { $0.floor = floor }
        try drop(surplus.count)
        try directory.sync()
    }

    /// Takes the oldest segments out of the catalog, so that no reader finds them, and then away.
    private func drop(_ count: Int) throws(JournalError) {
        let dropped = catalog.withLock { catalog -> [JournalCatalog.Segment] in
            let dropped = Array(catalog.segments[..<count])
            catalog.segments.removeFirst(count)
            if catalog.retainedBytes + options.segmentBytes <= options.maxBytes {
                catalog.isAtCap = false
            }
            return dropped
        }
        for segment in dropped {
            if segment.isDamaged { try directory.linkDamaged(segment.name) }
            if try !recycle(segment) { try directory.remove(segment.name) }
            directory.retryPolicy.forget(segment.name)
        }
    }

    /// Its old records stay in the file: their sequences are below every later segment's first one.
    private func recycle(_ segment: JournalCatalog.Segment) throws(JournalError) -> Bool {
        let isWanted = catalog.withLock {
            $0.spares.count < JournalKeeper.spareLimit && !$0.isRewriting
        }
        guard isWanted, segment.isReusable, !segment.isDamaged, segment.readers == 0,
            segment.fileBytes == options.segmentBytes
        else { return false }
        let file = try directory.open(segment.name, isReadOnly: false)
        guard try file.regularBytes() == options.segmentBytes else { return false }
        try markSpare(file)
        catalog.withLock { $0.spares.append(file) }
        return true
    }
}
