import Primitives
import Storage
import Telemetry

/// Takes the records of services whose age has come out of days that others stay in.
///
/// DESIGN. A thread of the lowest priority looks at the days every ten minutes. It writes the file of a
/// day that holds such records anew without them, beside the old one; the store's thread goes on
/// writing meanwhile, to that day too. Then the store's thread copies what came since, and puts the
/// new file in the place of the old one. A day on which something is left out is copied once for each
/// age, so a service that logs little costs as much as one that logs much.
final class LogPruner: Sendable {
    private static let pause = Duration.seconds(600)
    /// Of a copy that is being made; a start removes what a crash has left of one.
    private static let suffix = ".kept" + LogCatalog.temporarySuffix

    private enum Outcome {
        case adopted(records: Int64?)
        case failed(StorageError)
    }

    private let catalog: LogCatalog
    private let retention: LogRetention
    private let counters: LogStoreCounters
    private let log: Logger
    private let perform: @Sendable (@escaping LogQueue.Job) -> Bool
    private let isStopped = Monitor(false)
    private let thread: Locked<Thread?> = Locked(nil)

    /// - Parameter perform: runs a job on the store's thread; false once that has ended.
    init(
        _ catalog: LogCatalog, _ retention: LogRetention, _ counters: LogStoreCounters,
        log: Logger, perform: @escaping @Sendable (@escaping LogQueue.Job) -> Bool
    ) {
        self.catalog = catalog
        self.retention = retention
        self.counters = counters
        self.log = log
        self.perform = perform
    }

    /// Starts the thread if services have ages of their own.
    func start() {
        guard retention.hasRules else { return }
        let started = Thread(name: "log-prune", priority: .background) { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// Gives up a copy that is being made. The thread ends once the store's has done what it was asked.
    func giveUp() { isStopped.change { $0 = true } }

    /// Waits for the end of the thread, after `giveUp`.
    func join() {
        let running = thread.withLock { thread -> Thread? in
            defer { thread = nil }
            return thread
        }
        running?.join()
    }

    private func run() {
        while true {
            for day in catalog.days where retention.isOverForSome(day, now: now) {
                guard !isStopped.withLock({ $0 }) else { return }
                do throws(StorageError) { try prune(day) } catch {
                    log.warning("old logs of some services stay") {
                        $0.add("error", error)
                        $0.add("day", day.text)
                    }
                }
            }
            let isOver: Void? = isStopped.wait(
                until: .after(LogPruner.pause), for: { $0 }, then: { _ in })
            if isOver != nil { return }
        }
    }

    private var now: Int64 { WallClock.nowMilliseconds() }

    private func prune(_ day: LogDay) throws(StorageError) {
        guard let lease = catalog.lease(day) else { return }
        let survey = try LogDaySurvey(path: lease.path)
        let expired = survey.services.filter { retention.isOver(day, service: $0, now: now) }
        guard !expired.isEmpty else { return }
        let copy = LogDayCopy(
            from: lease.path, to: lease.path + LogPruner.suffix, day, without: .services(expired))
        copy.discard()
        do throws(StorageError) {
            guard let arrival = try copy.run(isOver: { isStopped.withLock { $0 } }) else {
                return copy.discard()
            }
            guard let records = try adopt(copy, lease, upTo: arrival) else {
                return copy.discard()
            }
            counters.expired.add(Int(records))
            log.notice("old logs of some services were dropped") {
                $0.add("day", day.text)
                $0.add("services", expired.count)
                $0.add("records", records)
            }
        } catch {
            copy.discard()
            throw error
        }
    }

    /// On the store's thread, for which this waits.
    /// - Returns: how many records went; nil if the copy is of no use any more.
    private func adopt(
        _ copy: LogDayCopy, _ lease: LogCatalog.Lease, upTo arrival: Int64
    ) throws(StorageError) -> Int64? {
        let outcome = Monitor<Outcome?>(nil)
        let isTaken = perform { writer in
            let found: Outcome
            do throws(StorageError) {
                found = .adopted(records: try writer.adopt(copy, lease, upTo: arrival))
            } catch {
                found = .failed(error)
            }
            outcome.change { $0 = found }
        }
        guard isTaken else { return nil }
        // The store's thread runs what it has taken, also when it is to end.
        switch outcome.wait(until: .never, for: { $0 != nil }, then: { $0 }) ?? nil {
        case .adopted(let records): return records
        case .failed(let error): throw error
        case nil: return nil
        }
    }
}
