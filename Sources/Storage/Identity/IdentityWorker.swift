import Primitives

/// Makes files of the identity index on a thread of its own, one at a time: the writer goes on
/// meanwhile. The thread starts with the first job.
final class IdentityWorker: Sendable {
    /// What is to become one run.
    enum Source: Sendable {
        /// Rows that were in memory; frozen.
        case table(IdentityTable)
        /// Runs that follow one another.
        case runs([IdentityRun], firstSeq: Int64, asksForRows: Bool)
    }

    struct Job: Sendable {
        let source: Source
        let header: IdentityRunHeader
    }

    struct Outcome: Sendable {
        let job: Job
        let result: Result<IdentityRun, IdentityFileError>
    }

    private struct State {
        var job: Job?
        var outcome: Outcome?
        var isStopping = false
    }

    private let name: String
    private let folder: IdentityFolder
    private let database: String
    private let state = Monitor(State())
    private let thread = Locked<Thread?>(nil)

    /// - Parameter name: of the thread, and of its unfinished files.
    init(name: String, folder: IdentityFolder, database: String) {
        self.name = name
        self.folder = folder
        self.database = database
    }

    /// Nothing is being made, and nothing waits to be taken.
    var isFree: Bool { state.withLock { $0.job == nil && $0.outcome == nil } }

    /// Starts a job. Only while it is free.
    func start(_ job: Job) {
        thread.withLock { thread in
            if thread == nil { thread = Thread(name: name) { [self] in run() } }
        }
        state.change { $0.job = job }
    }

    /// What the last job came to, once.
    func takeOutcome() -> Outcome? {
        state.withLock { state in
            defer { state.outcome = nil }
            return state.outcome
        }
    }

    /// Waits until the job at hand, if any, has an outcome.
    func waitForOutcome() {
        _ = state.wait(for: { $0.job == nil || $0.isStopping }, then: { _ in })
    }

    /// Breaks off what is being made and ends the thread.
    func stop() {
        state.change { $0.isStopping = true }
        let running = thread.withLock { thread -> Thread? in
            defer { thread = nil }
            return thread
        }
        running?.join()
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    private func run() {
        while true {
            let job = state.wait(for: { $0.job != nil || $0.isStopping }) { state in
                state.isStopping ? nil : state.job
            }
            guard let job = job ?? nil else { return }
            let outcome = Outcome(
                job: job,
                result: Result { () throws(IdentityFileError) in
                    try make(job)
                })
            state.change { state in
                state.job = nil
                state.outcome = outcome
            }
        }
    }

    /// Makes the run. On any thread, though on one at a time.
    func make(_ job: Job) throws(IdentityFileError) -> IdentityRun {
        let entries: [IdentityEntry]
        let limit: Int
        switch job.source {
        case .table(let table):
            entries = table.sorted()
            limit = entries.count
        case .runs(let runs, _, _):
            entries = []
            limit = runs.reduce(0) { $0 + $1.header.entryCount }
        }
        let writer = try IdentityRunWriter(in: folder, name: "new-\(name)", entryLimit: limit)
        do throws(IdentityFileError) {
            for entry in entries { try writer.append(entry) }
            if case .runs(let runs, let firstSeq, let asksForRows) = job.source {
                let live = asksForRows ? liveRows(job.header.range) : nil
                // What was read up to here may be half of the rows: the others would be left out.
                if isStopping { throw .cancelled }
                // Without them, rewriting a single run changes nothing.
                if asksForRows, live == nil, runs.count == 1 { throw .cancelled }
                let merge = IdentityMerge(
                    runs: runs, firstSeq: firstSeq, live: live,
                    isCancelled: { [self] in isStopping })
                try merge.write(to: writer)
            }
            return try writer.finish(job.header)
        } catch {
            writer.abandon()
            throw error
        }
    }

    /// Nil if they cannot be read: nothing is left out then.
    private func liveRows(_ range: SeqRange) -> LiveRows? {
        try? LiveRows(path: database, range: range, isCancelled: { isStopping })
    }
}
