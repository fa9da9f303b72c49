import Glibc
import TestSupport
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

    @Test func `a place where no folder can be made is an error, however deep`() {
        for path in ["/proc/millrace", "/proc/millrace/a/b", "/dev/null/a/b"] {
            let error = #expect(throws: JournalError.self) {
                _ = try DataDirectoryLock(directory: path)
            }
            #expect(error?.code == .unwritable)
        }
    }
}
