internal import Glibc
import Primitives
import Telemetry

/// The one thread that writes.
///
/// It takes all batches that wait in one swap, numbers them, writes them with one `pwritev`, calls
/// `fdatasync` once and completes them all. While it syncs the next ones gather: batches form by
/// themselves under load and cost no delay without it. A batch lies in one segment: one that does
/// not fit what is left begins the next segment, and one larger than a segment gets its own. So a
/// refused batch never leaves a part behind in an older segment.
final class JournalCommitter: @unchecked Sendable {  // `run`'s thread alone touches its state.
    typealias Completion = @Sendable (JournalBatch, JournalOutcome) -> Void

    struct Submission {
        let batch: JournalBatch
        let completion: Completion
        var first: UInt64 = 0
    }

    struct Intake {
        var waiting: [Submission] = []
        var waitingBytes = 0
        var waitingRecords = 0
        var isClosed = false
        /// Times that somebody wanted the segment that is written to be left, and times that it was.
        var leavesWanted = 0
        var leavesDone = 0
        var isLeaveWanted: Bool { leavesDone < leavesWanted }
    }

    /// Four of the largest bodies. Behind a stalled disk more would only be memory: `.full`.
    static let waitingLimitBytes = 256 << 20
    /// How long after a failure the disk is tried again.
    static let probeInterval = Duration.milliseconds(250)

    /// Smaller groups are not waited for: with few clients it would only delay them.
    private static let gatherRecords = 8
    /// About two syncs: what those who come alone lose at most, once.
    private static let gatherTime = Duration.microseconds(500)
    /// Between two looks at how long this thread waits for a core.
    private static let lookInterval = Duration.milliseconds(20)
    /// For how long what was seen counts.
    private static let shortTime = Duration.milliseconds(100)

    let intake = Monitor(Intake())
    let catalog: Monitor<JournalCatalog>
    let keeper: JournalKeeper
    let directory: JournalDirectory
    let options: JournalOptions
    let log: Logger
    let salt: UInt32
    let blocks = WriteBlocks()

    var active: ActiveSegment?
    var nextSequence: UInt64
    var nextOrdinal: UInt64
    /// What everything is answered with until a probe succeeds; nil while the disk works.
    var failure: JournalOutcome?
    var probeAt = Deadline.never
    /// When what is written must be synced, with `.interval`.
    var syncAt = Deadline.never
    /// Acknowledged records that are written but could not be synced, with `.interval`.
    var unsynced: ActiveSegment?
    /// The records being written, their size and the sequence behind them.
    var staged: [iovec] = []
    var stagedBytes = 0
    var stagedNext: UInt64 = 0
    /// When and at how much waiting for a core it was last looked.
    private var lookedAt = MonotonicTime.now()
    private var waitedBefore = Duration.zero
    /// Records of the last group.
    private var groupRecords = 0
    /// Whether the keeper had a spare segment ready when it was last asked.
    var hasSpare = false

    init(
        _ recovered: JournalRecovery, catalog: Monitor<JournalCatalog>, keeper: JournalKeeper,
        directory: JournalDirectory, options: JournalOptions, log: Logger
    ) {
        self.catalog = catalog
        self.keeper = keeper
        self.directory = directory
        self.options = options
        self.log = log
        salt = recovered.salt
        active = recovered.active
        nextSequence = recovered.nextSequence
        nextOrdinal = recovered.nextOrdinal
        hasSpare = !recovered.catalog.spares.isEmpty
    }

    /// Ends when the intake is closed and everything in it is answered.
    func run() {
        var group: [Submission] = []
        while true {
            let isOpen = intake.wait(until: min(probeAt, syncAt)) {
                !$0.waiting.isEmpty || $0.isClosed || $0.isLeaveWanted
            } then: {
                !$0.isClosed
            }
            if isOpen == true { gather() }
            intake.withLock { intake in
                swap(&intake.waiting, &group)
                intake.waitingBytes = 0
                groupRecords = intake.waitingRecords
                intake.waitingRecords = 0
            }
            let isLast = isOpen == false && group.isEmpty
            commit(&group)
            group.removeAll(keepingCapacity: true)
            leaveIfWanted()
            lookAtCores()
            if probeAt.hasPassed { probe() }
            if isLast || syncAt.hasPassed { syncInterval() }
            if isLast { return finish() }
        }
    }

    /// Waits a moment for a group of half the last one's size.
    ///
    /// Those who were just answered are about to come again. Without this the first of them to come
    /// are synced alone, and the others behind them: twice the syncs for the same clients.
    private func gather() {
        let wanted = groupRecords / 2
        guard wanted >= JournalCommitter.gatherRecords else { return }
        _ = intake.wait(
            until: .after(JournalCommitter.gatherTime),
            for: { $0.waitingRecords >= wanted || $0.isClosed }, then: { _ in })
    }

    /// Notes whether this thread waits for a core for an eighth of the time or more: then so do
    /// those whom clients wait for, and storing should leave the cores to them.
    private func lookAtCores() {
        let now = MonotonicTime.now()
        let elapsed = now.since(lookedAt)
        guard elapsed >= JournalCommitter.lookInterval else { return }
        let waited = CoreWait.ofThisThread()
        let isShort = waited - waitedBefore > elapsed / 8
        lookedAt = now
        waitedBefore = waited
        guard isShort else { return }
        catalog.withLock { $0.coresAreShortUntil = now + JournalCommitter.shortTime }
    }

    /// Closes the segment that is written to, for what lies in it is to be changed. The next record
    /// begins another one.
    private func leaveIfWanted() {
        guard intake.withLock({ $0.isLeaveWanted }) else { return }
        _ = leaveActive()
        intake.change { $0.leavesDone = $0.leavesWanted }
    }

    /// Has the segment that is written to closed, unless the disk fails. Any thread but `run`'s.
    func leaveSegment() {
        let wanted = intake.change { intake -> Int in
            intake.leavesWanted += 1
            return intake.leavesWanted
        }
        _ = intake.wait(for: { $0.leavesDone >= wanted || $0.isClosed }, then: { _ in })
    }

    private func finish() {
        guard unsynced != nil, rescueUnsynced() != 0 else { return }
        log.error("the journal closes with records that could not be synced")
    }

    private func commit(_ group: inout [Submission]) {
        var index = 0
        while index < group.count {
            let bytes = group[index].batch.bytes.count
            if let refusal = failure ?? (bytes > 0 ? makeRoom(for: bytes) : nil) {
                group[index].completion(group[index].batch, refusal)
                index += 1
                continue
            }
            let end = stage(&group, from: index)
            let refusal = stagedBytes > 0 ? writeStaged() : nil
            for index in index..<end { complete(group[index], refusal) }
            index = end
        }
    }

    private func complete(_ submission: Submission, _ refusal: JournalOutcome?) {
        let batch = submission.batch
        let last = submission.first + UInt64(batch.recordCount) - 1
        if refusal == nil, !batch.traces.isEmpty {
            catalog.withLock { $0.traces.add(first: submission.first, last: last, batch.traces) }
        }
        submission.completion(
            submission.batch, refusal ?? .committed(first: submission.first, last: last))
    }

    /// Numbers as many batches as fit the active segment together.
    /// - Returns: the index behind the last of them.
    private func stage(_ group: inout [Submission], from start: Int) -> Int {
        staged.removeAll(keepingCapacity: true)
        stagedBytes = 0
        stagedNext = nextSequence
        var index = start
        while index < group.count {
            let batch = group[index].batch
            let bytes = batch.bytes.count
            guard bytes == 0 || active?.hasRoom(for: stagedBytes + bytes) == true else { break }
            group[index].first = stagedNext
            index += 1
            guard bytes > 0 else { continue }
            stagedNext = batch.number(from: stagedNext, salt: salt)
            staged.append(iovec(batch.bytes.span))
            stagedBytes += bytes
        }
        return index
    }

    /// - Returns: nil once the records are as safe as the options ask, else why they are not.
    private func writeStaged() -> JournalOutcome? {
        let code = active?.write(staged, bytes: stagedBytes, next: stagedNext, blocks) ?? EIO
        guard code == 0 else { return giveUpWrite(code) }
        if options.sync == .always {
            let start = MonotonicTime.now()
            let code = active?.sync() ?? EIO
            guard code == 0 else { return rewriteStaged(after: code) }
            publish(syncTime: MonotonicTime.now().since(start))
        } else {
            if syncAt == .never, case .interval(let interval) = options.sync {
                syncAt = .after(interval)
            }
            publish(syncTime: nil)
        }
        return nil
    }

    /// Lets readers see what is written, and wakes them if they wait.
    func publish(syncTime: Duration?) {
        guard var segment = active else { return }
        nextSequence = segment.next
        let isNew = !segment.isListed
        segment.isListed = true
        active = segment
        let wakes = catalog.withLock { catalog -> Bool in
            if isNew { catalog.segments.append(JournalCatalog.Segment(segment)) }
            catalog.advance(
                to: segment.next - 1, limitBytes: segment.offset, fileBytes: segment.fileBytes)
            if let syncTime { catalog.observe(syncTime) }
            hasSpare = !catalog.spares.isEmpty
            defer { catalog.hasWaiter = false }
            return catalog.hasWaiter
        }
        if wakes { catalog.change { _ in } }
        askForSpare(segment)
    }

    /// The next segment is wanted when this one is half full, and at once if this one grows.
    private func askForSpare(_ segment: ActiveSegment) {
        guard !hasSpare, !segment.isFilled || segment.offset > segment.capacityBytes / 2 else {
            return
        }
        keeper.wantSpare()
    }
}
