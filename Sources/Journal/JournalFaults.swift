/// Where tests make the disk fail. Each closure is asked before its C call and returns the `errno`
/// that the call shall fail with, or 0 to let it happen. Empty while serving.
package struct JournalFaults: Sendable {
    package typealias Fault = @Sendable (_ path: String) -> Int32

    /// Asked before a file is created.
    package var create: Fault?
    package var write: Fault?
    /// Asked before a part of a file is read, with the offsets of that part.
    package var read: (@Sendable (_ path: String, _ part: Range<Int>) -> Int32)?
    package var sync: Fault?
    /// Each write takes at most this many bytes, as a kernel may at any time.
    package var writeLimitBytes: Int?
    /// How long an open journal retries a failed read.
    package var readRetryTime = ReadRetryPolicy.servingTime

    package init(
        create: Fault? = nil, write: Fault? = nil, sync: Fault? = nil, writeLimitBytes: Int? = nil
    ) {
        self.create = create
        self.write = write
        self.sync = sync
        self.writeLimitBytes = writeLimitBytes
    }

    package static let none = JournalFaults()
}
