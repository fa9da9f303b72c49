import Primitives
import Synchronization
import Telemetry

/// Keeps the keys of a running service as the file has them.
///
///     let keeper = try KeyKeeper(file: KeysFile(path: "keys.yaml"), usagePath: …, log: log)
///     keeper.start()
///     keeper.ring.key(text)          // any thread
///     keeper.reload()                // SIGHUP
///     keeper.stop()
///
/// A thread of its own looks at the file once a second and reads it again when it has changed. A
/// file that cannot be read or understood is reported, and the last good keys go on to hold. The
/// times of last use are written once a minute and at the end, never for a request.
final class KeyKeeper: Sendable {
    private static let pollInterval = Duration.seconds(1)
    private static let usageInterval = Duration.seconds(60)

    /// What `/status` tells.
    struct Report: Sendable {
        /// Milliseconds since 1970, of the last reading that went well.
        var loaded: Int64
        var reloads: UInt64 = 0
        var failures: UInt64 = 0
        /// Why the file as it is now cannot be used; nil if it can.
        var problem: String?
    }

    private struct Signals {
        var isStopping = false
        var isAskedToReload = false
    }

    let file: KeysFile
    private let usagePath: String
    private let log: Logger
    private let current: Locked<KeyRing>
    private let version = Atomic<UInt64>(1)
    private let state: Locked<Report>
    private let signals = Monitor(Signals())
    private let thread = ThreadSlot()
    /// Of the last attempt, good or not. The thread's alone once it runs.
    private let seen: Locked<KeysFile.Stamp?>

    /// - Throws: if there is no good file to begin with.
    init(file: KeysFile, usagePath: String, log: Logger) throws(KeysError) {
        self.file = file
        self.usagePath = usagePath
        self.log = log
        // Looked at before it is read: a change in between is then seen as one.
        let stamp = file.stamp
        let usage = KeyUsage(contentsOf: usagePath)
        let records = try file.read().records
        current = Locked(
            KeyRing(records.map { Key($0, lastUsed: usage.lastUsed($0) ?? 0) }))
        state = Locked(Report(loaded: WallClock.nowMilliseconds()))
        seen = Locked(stamp)
        warn(stamp, count: records.count)
    }

    /// The keys that hold now. Any thread.
    var ring: KeyRing { current.withLock { $0 } }
    /// Changes with every new ring; cheaper to look at than the ring itself.
    var ringVersion: UInt64 { version.load(ordering: .acquiring) }
    var report: Report { state.withLock { $0 } }

    func start() { thread.start(name: "keys") { [self] in run() } }

    /// Reads the file again, changed or not. Returns at once.
    func reload() { signals.change { $0.isAskedToReload = true } }

    /// Ends the thread, which writes the times of last use.
    func stop() {
        signals.change { $0.isStopping = true }
        thread.join()
    }

    private func run() {
        var written = KeyUsage(ring.keys)
        var nextWrite = Deadline.after(KeyKeeper.usageInterval)
        while true {
            let asked = signals.wait(
                until: .after(KeyKeeper.pollInterval),
                for: { $0.isStopping || $0.isAskedToReload }
            ) { signals -> Signals in
                defer { signals.isAskedToReload = false }
                return signals
            }
            if asked?.isAskedToReload == true || file.stamp != seen.withLock({ $0 }) { read() }
            guard nextWrite.hasPassed || asked?.isStopping == true else { continue }
            written = writeUsage(unless: written)
            nextWrite = .after(KeyKeeper.usageInterval)
            if asked?.isStopping == true { return }
        }
    }

    private func read() {
        let stamp = file.stamp
        seen.withLock { $0 = stamp }
        do throws(KeysError) {
            let document = try file.read()
            // Written while it was read: it is read again at the next look.
            guard file.stamp == stamp else { return }
            // Many editors empty a file before they write it. A file without keys has a comment.
            guard !document.text.allSatisfy(\.isWhitespace) else {
                throw KeysError("keys file `\(file.path)` is empty")
            }
            let records = document.records
            let ring = self.ring.with(records)
            current.withLock { $0 = ring }
            version.add(1, ordering: .releasing)
            state.withLock {
                $0.loaded = WallClock.nowMilliseconds()
                $0.reloads += 1
                $0.problem = nil
            }
            log.notice("keys were read again") { $0.add("keys", records.count) }
            warn(stamp, count: records.count)
        } catch {
            state.withLock {
                $0.failures += 1
                $0.problem = "\(error)"
            }
            log.error("the keys file cannot be used; the keys read before go on to hold") {
                $0.add("error", "\(error)")
            }
        }
    }

    private func warn(_ stamp: KeysFile.Stamp?, count: Int) {
        if stamp?.isWorldReadable == true {
            log.warning("every user of this machine can read the keys file; chmod 600 it") {
                $0.add("file", file.path)
            }
        }
        if count == 0 {
            log.warning("the keys file holds no key, so nobody can send or ask anything") {
                $0.add("file", file.path)
                $0.add("advice", "millrace keys add --name NAME --scope SCOPE")
            }
        }
    }

    /// - Returns: what is on disk now.
    private func writeUsage(unless written: KeyUsage) -> KeyUsage {
        let usage = KeyUsage(ring.keys)
        guard usage != written else { return written }
        do {
            try usage.write(to: usagePath)
            return usage
        } catch {
            log.warning("when keys were used last cannot be written") {
                $0.add("error", error.reason)
            }
            return written
        }
    }
}
