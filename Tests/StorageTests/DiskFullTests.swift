import Glibc
import Primitives
import TestSupport
import Testing

@testable import Storage

@Suite(.blocking) struct DiskFullTests {
    @Test(.enabled(if: SmallDisk.isPossible, "\(SmallDisk.whyNot)"))
    func `refuses when the disk is full, keeps what it has, and recovers by itself`() throws {
        let disk = try SmallDisk(bytes: 6 << 20)
        let path = disk.path + "/store.db"
        let store = try EventStore(path: path, now: start, log: .silent)
        let ballast = disk.path + "/ballast"
        let descriptor = open(ballast, O_CREAT | O_WRONLY, 0o600)
        #expect(posix_fallocate(descriptor, 0, 3 << 20) == 0)
        close(descriptor)

        let data = "\"" + String(repeating: "x", count: 1000) + "\""
        func batch(_ number: Int) -> [TestEvent] {
            (0..<50).map { TestEvent(id: "\(number)-\($0)", data: data) }
        }
        var number = 0
        var failure: StorageError?
        while failure == nil, number < 1000 {
            do throws(StorageError) {
                try store.write(batch(number + 1), position: UInt64(number + 1))
                number += 1
                try? store.maintain(now: at + .seconds(10 * number), isIdle: false)
            } catch {
                failure = error
            }
        }
        #expect(failure?.code == .full)
        #expect(failure?.isRetryable == true)
        #expect(number > 3)
        #expect(store.position == UInt64(number))
        #expect(try store.integer("SELECT count(*) FROM event_rows") == Int64(number * 50))
        // It stays so, and breaks nothing, for as long as the disk is full.
        for _ in 0..<5 {
            #expect(throws: StorageError.self) {
                try store.write(batch(number + 1), position: UInt64(number + 1))
            }
            try? store.maintain(now: at + .seconds(20_000), isIdle: true)
        }

        unlink(ballast)
        let result = try store.write(batch(number + 1), position: UInt64(number + 1))
        #expect(result == .init(inserted: 50, duplicates: 0))
        #expect(try store.checkpoint())
        #expect(store.durablePosition == UInt64(number + 1))
        store.close(deadline: soon)
        let report = try IntegrityReport(path: path)
        #expect(report.problems.isEmpty)
        #expect(report.rows == Int64((number + 1) * 50))
    }

    @Test(.enabled(if: SmallDisk.isPossible, "\(SmallDisk.whyNot)"))
    func `does not open on a full disk, and says why`() throws {
        let disk = try SmallDisk(bytes: 1 << 20)
        let ballast = disk.path + "/ballast"
        let descriptor = open(ballast, O_CREAT | O_WRONLY, 0o600)
        #expect(posix_fallocate(descriptor, 0, (1 << 20) - 8192) == 0)
        close(descriptor)
        let path = disk.path + "/store.db"
        let error = #expect(throws: StorageError.self) {
            _ = try EventStore.openSettingAside(path: path, now: start, log: .silent)
        }
        #expect(error?.isRetryable == true)
        unlink(ballast)
        let opened = try EventStore.openSettingAside(path: path, now: start, log: .silent)
        #expect(opened.setAside.isEmpty)
        try opened.store.write([TestEvent(id: "1")])
    }

    @Test func `does not open where it may not write`() throws {
        let error = #expect(throws: StorageError.self) {
            _ = try EventStore(path: "/proc/none/store.db", now: start, log: .silent)
        }
        #expect(error?.code == .inputOutput)
    }
}
