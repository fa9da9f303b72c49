import Glibc
import Primitives
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Journal

/// A disk that fails when the test says so.
private final class Disk: Sendable {
    let write = Atomic<Int32>(0)
    let sync = Atomic<Int32>(0)
    let create = Atomic<Int32>(0)
    /// So many syncs fail, then they work again.
    let failingSyncs = Atomic<Int>(0)

    var faults: JournalFaults {
        JournalFaults(
            create: { [self] _ in create.load(ordering: .sequentiallyConsistent) },
            write: { [self] _ in write.load(ordering: .sequentiallyConsistent) },
            sync: { [self] _ in
                let left = failingSyncs.load(ordering: .sequentiallyConsistent)
                if left > 0 {
                    failingSyncs.store(left - 1, ordering: .sequentiallyConsistent)
                    return EIO
                }
                return sync.load(ordering: .sequentiallyConsistent)
            })
    }

    func set(_ fault: borrowing Atomic<Int32>, _ code: Int32) {
        fault.store(code, ordering: .sequentiallyConsistent)
    }
}

@Suite(.blocking) struct JournalFaultTests {
    private func payloads(_ journal: Journal) throws -> [String] {
        try JournalReader(journal, from: 1).drain().map(\.payload)
    }

    @Test func `after a failed sync the records are acknowledged from a new segment`() throws {
        let directory = try TemporaryDirectory()
        let disk = Disk()
        let journal = try open(options(directory), faults: disk.faults)
        #expect(journal.commit(["a"]) == .committed(first: 1, last: 1))
        #expect(eventually { journal.status.spareSegments == 1 })
        _ = journal.commit(["b"])
        _ = journal.commit(["c"])
        let before = journal.status.segments
        disk.failingSyncs.store(1, ordering: .sequentiallyConsistent)
        #expect(journal.commit(["d", "e"]) == .committed(first: 4, last: 5))
        #expect(journal.status.segments == before + 1)
        #expect(journal.status.failures == 1)
        #expect(journal.status.health == .ok)
        #expect(try payloads(journal) == ["a", "b", "c", "d", "e"])
        #expect(journal.commit(["f"]) == .committed(first: 6, last: 6))
        journal.close()
        let again = try open(options(directory))
        defer { again.close() }
        #expect(try payloads(again) == ["a", "b", "c", "d", "e", "f"])
        #expect(again.status.damage.missingRecords == 0)
    }

    @Test(arguments: [EIO, EROFS])
    func `refuses while syncs fail and recovers by itself`(code: Int32) throws {
        let directory = try TemporaryDirectory()
        let disk = Disk()
        let journal = try open(options(directory), faults: disk.faults)
        #expect(journal.commit(["a"]) == .committed(first: 1, last: 1))
        disk.set(disk.sync, code)
        #expect(journal.commit(["refused"]) == .unwritable(code: code))
        #expect(journal.commit(["refused"]) == .unwritable(code: code))
        #expect(journal.status.health == .unwritable(code: code))
        #expect(try payloads(journal) == ["a"])
        disk.set(disk.sync, 0)
        #expect(eventually { journal.status.health == .ok })
        #expect(journal.commit(["b"]) == .committed(first: 2, last: 2))
        #expect(try payloads(journal) == ["a", "b"])
        journal.close()
        let again = try open(options(directory))
        defer { again.close() }
        #expect(try payloads(again) == ["a", "b"])
        #expect(again.status.damage == JournalDamage())
    }

    @Test func `what was refused by a failing sync is not found after a restart`() throws {
        let directory = try TemporaryDirectory()
        let disk = Disk()
        let journal = try open(options(directory), faults: disk.faults)
        _ = journal.commit(["a"])
        disk.set(disk.sync, EIO)
        #expect(journal.commit(["refused"]) == .unwritable(code: EIO))
        journal.close()
        let again = try open(options(directory))
        defer { again.close() }
        #expect(try payloads(again) == ["a"])
        #expect(again.commit(["b"]) == .committed(first: 2, last: 2))
    }

    @Test(arguments: [ENOSPC, EDQUOT, EIO])
    func `refuses while writes fail and recovers by itself`(code: Int32) throws {
        let directory = try TemporaryDirectory()
        let disk = Disk()
        let journal = try open(options(directory), faults: disk.faults)
        _ = journal.commit(["a"])
        disk.set(disk.write, code)
        let refusal = JournalOutcome(failure: code)
        #expect(refusal == (code == EIO ? .unwritable(code: EIO) : .full))
        #expect(journal.commit(["refused"]) == refusal)
        #expect(journal.status.health == (code == EIO ? .unwritable(code: EIO) : .full))
        disk.set(disk.write, 0)
        #expect(eventually { journal.status.health == .ok })
        #expect(journal.commit(["b"]) == .committed(first: 2, last: 2))
        journal.close()
        let again = try open(options(directory))
        defer { again.close() }
        #expect(try payloads(again) == ["a", "b"])
    }

    @Test func `refuses while no segment can be created and recovers by itself`() throws {
        let directory = try TemporaryDirectory()
        let disk = Disk()
        disk.set(disk.create, EACCES)
        let journal = try open(options(directory), faults: disk.faults)
        defer { journal.close() }
        #expect(journal.commit(["refused"]) == .unwritable(code: EACCES))
        disk.set(disk.create, 0)
        #expect(eventually { journal.status.health == .ok })
        #expect(journal.commit(["a"]) == .committed(first: 1, last: 1))
        #expect(try payloads(journal) == ["a"])
    }

    @Test func `writes that the kernel cuts short are completed`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory), faults: JournalFaults(writeLimitBytes: 97))
        let sent = (0..<50).map { payload($0, bytes: 500) }
        #expect(journal.commit(Array(sent[..<20])) == .committed(first: 1, last: 20))
        #expect(journal.commit(Array(sent[20...])) == .committed(first: 21, last: 50))
        journal.close()
        let again = try open(options(directory))
        defer { again.close() }
        #expect(try payloads(again) == sent)
    }

    @Test func `more parts than one call takes are written in several`() throws {
        let directory = try TemporaryDirectory()
        let gate = Monitor(false)
        let journal = try open(
            options(directory, segmentBytes: 1 << 20),
            faults: JournalFaults(sync: { _ in
                _ = gate.wait(until: .after(.seconds(10)), for: { $0 }, then: { _ in })
                return 0
            }))
        defer { journal.close() }
        let outcomes = Outcomes()
        for number in 0..<3000 {
            journal.submit(batch([payload(number)]), completion: outcomes.completion)
        }
        gate.change { $0 = true }
        #expect(outcomes.wait(3000) == (1...3000).map { .committed(first: $0, last: $0) })
        #expect(try payloads(journal) == (0..<3000).map { payload($0) })
    }

    /// - Parameter failingReads: of the copy that the failing sync makes necessary.
    @Test(arguments: [0, 3])
    func `what an interval acknowledged survives a failing sync`(failingReads: Int) throws {
        let directory = try TemporaryDirectory()
        let disk = Disk()
        var options = options(directory)
        options.sync = .interval(.milliseconds(10))
        var faults = disk.faults
        let readsLeft = Locked(0)
        faults.read = { _, _ in
            readsLeft.withLock { left in
                defer { left = max(0, left - 1) }
                return left > 0 ? EIO : 0
            }
        }
        let journal = try open(options, faults: faults)
        for number in 0..<3 { _ = journal.commit([payload(number)]) }
        #expect(eventually { journal.status.syncMicroseconds > 0 })
        readsLeft.withLock { $0 = failingReads }
        // One may go to a spare segment that is just being made.
        disk.failingSyncs.store(4, ordering: .sequentiallyConsistent)
        // A sync of what came before may fail first: what is refused takes no sequence.
        #expect(eventually { journal.commit([payload(3)]) == .committed(first: 4, last: 4) })
        #expect(eventually { journal.status.failures >= 2 })
        #expect(eventually { readsLeft.withLock { $0 } == 0 })
        #expect(try payloads(journal) == (0..<4).map { payload($0) })
        // The failure is counted before the journal refuses, so its state may still look good here.
        #expect(eventually { journal.commit([payload(4)]) == .committed(first: 5, last: 5) })
        #expect(try payloads(journal) == (0..<5).map { payload($0) })
        journal.close()
        let again = try open(options)
        defer { again.close() }
        #expect(try payloads(again) == (0..<5).map { payload($0) })
        #expect(again.status.damage.missingRecords == 0)
    }

    @Test(.enabled(if: SmallDisk.isPossible, "\(SmallDisk.whyNot)"))
    func `a full disk refuses, loses nothing and recovers when there is space`() throws {
        let disk = try SmallDisk(bytes: 4 << 20)
        defer { withExtendedLifetime(disk) {} }
        let filler = Glibc.open(disk.path + "/filler", O_CREAT | O_WRONLY, 0o600)
        defer { close(filler) }
        #expect(posix_fallocate(filler, 0, 2 << 20) == 0)
        let options = JournalOptions(directory: disk.path + "/journal", segmentBytes: 1 << 20)
        let journal = try open(options)
        var sent: [String] = []
        var outcome = JournalOutcome.full
        for number in 0..<3000 {
            outcome = journal.commit([payload(number, bytes: 2000)])
            guard case .committed = outcome else { break }
            sent.append(payload(number, bytes: 2000))
        }
        #expect(outcome == .full)
        #expect(journal.status.health == .full)
        #expect(sent.count > 500)
        #expect(try payloads(journal) == sent)
        #expect(ftruncate(filler, 0) == 0)
        #expect(eventually { journal.status.health == .ok })
        #expect(journal.commit(["after"]) != .full)
        journal.close()
        let again = try open(options)
        defer { again.close() }
        #expect(try payloads(again) == sent + ["after"])
        #expect(again.status.damage == JournalDamage())
    }
}
