import Glibc
import TestSupport
import Testing

@testable import Journal

@Suite(.blocking) struct DataDirectoryLockTests {
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

    @Test func `it is free again although a child that is being started still has the file open`()
        throws
    {
        let directory = try TemporaryDirectory()
        var lock: DataDirectoryLock? = try DataDirectoryLock(directory: directory.path)
        #expect(lock != nil)
        let copies = (0..<Int32(4096)).filter { isOpen($0, at: directory.path + "/lock") }
            .map { dup($0) }
        #expect(copies.count == 1)
        defer { for copy in copies { close(copy) } }
        lock = nil
        _ = try DataDirectoryLock(directory: directory.path)
    }

    private func isOpen(_ descriptor: Int32, at path: String) -> Bool {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/fd/\(descriptor)", &target, target.count)
        let bytes = target.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self) == path
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
