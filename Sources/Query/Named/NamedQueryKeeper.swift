import Primitives
import SQLite
import Telemetry

/// Keeps the named queries of a running service as their folder has them.
///
///     let keeper = try NamedQueryKeeper(path: "queries", timeLimit: .seconds(5), log: log)
///     keeper.start()
///     keeper.query("top_pages")      // any thread
///     keeper.stop()
///
/// A thread of its own looks at the folder once a second and reads what has changed. A file that cannot
/// be used is reported, and the last good one goes on to serve.
package final class NamedQueryKeeper: Sendable {
    private static let pollInterval = Duration.seconds(1)

    /// What is told of the folder.
    package struct Report: Sendable {
        /// In the order of their names.
        package var queries: [NamedQuery] = []
        /// Why files cannot be used as they are; by the names of their queries, and nil for the folder.
        package var problems: [(name: String?, problem: String)] = []
        /// Files read since the start that could be used.
        package var loads: UInt64 = 0
        /// The same that could not.
        package var failures: UInt64 = 0
    }

    /// What there is under a name.
    package enum Lookup: Sendable {
        case query(NamedQuery)
        /// A file that was never good.
        case broken
        case absent
    }

    /// The folder cannot be read.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private struct State {
        var queries: [String: NamedQuery] = [:]
        var problems: [String: String] = [:]
        var folderProblem: String?
        var stamps: [String: NamedQueryFolder.Stamp] = [:]
        var loads: UInt64 = 0
        var failures: UInt64 = 0
    }

    private let folder: NamedQueryFolder
    private let timeLimit: Duration
    private let log: Logger
    private let state = Locked(State())
    private let isStopping = Monitor(false)
    private let thread = ThreadSlot()

    /// Reads what there is.
    /// - Parameter timeLimit: how long a query may take at the most.
    /// - Throws: if the folder cannot be read; a file that cannot be used is only reported.
    package init(path: String, timeLimit: Duration, log: Logger) throws(Failure) {
        folder = NamedQueryFolder(path: path)
        self.timeLimit = timeLimit
        self.log = log
        look()
        if let problem = state.withLock({ $0.folderProblem }) {
            throw Failure(description: "the folder of queries `\(path)`: \(problem)")
        }
    }

    package func query(_ name: String) -> Lookup {
        state.withLock { state in
            if let query = state.queries[name] { return .query(query) }
            return state.problems[name] == nil ? .absent : .broken
        }
    }

    package var report: Report {
        state.withLock { state in
            var report = Report(
                queries: state.queries.values.sorted { $0.name < $1.name }, loads: state.loads,
                failures: state.failures)
            if let problem = state.folderProblem { report.problems.append((nil, problem)) }
            report.problems += state.problems.sorted { $0.key < $1.key }
                .map { (name: $0.key, problem: $0.value) }
            return report
        }
    }

    package func start() {
        thread.start(name: "queries", stackBytes: Thread.deepStackBytes) { [self] in
            while isStopping.wait(
                until: .after(NamedQueryKeeper.pollInterval), for: { $0 }, then: { $0 }) == nil
            {
                look()
            }
        }
    }

    package func stop() {
        isStopping.change { $0 = true }
        thread.join()
    }

    // MARK: On the thread

    private func look() {
        let found: [String: NamedQueryFolder.Stamp]
        do throws(NamedQueryFolder.Failure) { found = try folder.stamps() } catch {
            return noteFolder(error.reason)
        }
        noteFolder(nil)
        let known = state.withLock { $0.stamps }
        for name in known.keys where found[name] == nil { remove(name) }
        let changed = found.filter { known[$0.key] != $0.value }
        guard !changed.isEmpty else { return }
        do throws(SQLiteError) {
            let trial = try NamedQueryTrial(timeLimit: timeLimit)
            for (name, stamp) in changed { read(name, stamp, trial) }
        } catch { noteFolder("no statement can be tried: \(error)") }
    }

    private func read(_ name: String, _ stamp: NamedQueryFolder.Stamp, _ trial: NamedQueryTrial) {
        do {
            let text = try folder.read(name)
            // Written while it was read: it is read again at the next look.
            guard folder.stamp(name) == stamp else { return }
            let query = try trial.query(name: name, text: text)
            state.withLock {
                $0.queries[name] = query
                $0.problems[name] = nil
                $0.stamps[name] = stamp
                $0.loads += 1
            }
            log.info("a named query was read") { $0.add("query", name) }
        } catch {
            let reason = (error as? NamedQueryFolder.Failure)?.reason ?? "\(error)"
            let hasQuery = state.withLock { state in
                state.problems[name] = reason
                state.stamps[name] = stamp
                state.failures += 1
                return state.queries[name] != nil
            }
            log.error("the file of a named query cannot be used") {
                $0.add("query", name)
                $0.add("error", reason)
                $0.add("serves", hasQuery ? "the file before it" : "nothing")
            }
        }
    }

    private func remove(_ name: String) {
        state.withLock {
            $0.queries[name] = nil
            $0.problems[name] = nil
            $0.stamps[name] = nil
        }
        log.notice("a named query is gone") { $0.add("query", name) }
    }

    /// - Parameter problem: nil if the folder can be read.
    private func noteFolder(_ problem: String?) {
        let isNew = state.withLock { state in
            defer { state.folderProblem = problem }
            return state.folderProblem != problem
        }
        guard isNew, let problem else { return }
        log.error("the folder of named queries cannot be read") { $0.add("error", problem) }
    }
}
