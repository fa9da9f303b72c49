import Glibc
import Testing

@testable import Events

@Suite struct DataDirectoryLockTests {
    @Test func `a second lock names the process that has the first`() throws {
        let directory = try TemporaryDirectory()
        var lock: DataDirectoryLock? = try DataDirectoryLock(directory: directory.path)
        #expect(lock != nil)
        let error = #expect(throws: JournalError.self) {
            _ = try DataDirectoryLock(directory: directory.path)
        }
        #expect(error?.code == .locked)
        #expect(error?.message.hasSuffix("process \(getpid())") == true)
        lock = nil
        _ = try DataDirectoryLock(directory: directory.path)
    }
}
