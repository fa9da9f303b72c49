internal import Glibc
import Primitives
internal import Synchronization

/// Where and for how long log files are kept.
package struct LogFileOptions: Sendable {
    package var path: String
    /// A file that would grow beyond it is put aside.
    package var maxBytes: Int
    /// A file whose first record is older is put aside; nil: age does not matter.
    package var maxAge: Duration?
    /// Of the files put aside: how many, and how many bytes of them, stay.
    package var keepFiles: Int
    package var keepBytes: Int
    /// The age at which they go, counted from when they were put aside; nil: age does not matter.
    package var keepAge: Duration?

    package init(
        path: String, maxBytes: Int = 100 << 20, maxAge: Duration? = nil, keepFiles: Int = 10,
        keepBytes: Int = 1 << 30, keepAge: Duration? = nil
    ) {
        self.path = path
        self.maxBytes = maxBytes
        self.maxAge = maxAge
        self.keepFiles = keepFiles
        self.keepBytes = keepBytes
        self.keepAge = keepAge
    }
}

/// A file of JSON lines that is put aside when it is large or old; what is put aside is compressed
/// and kept for a while (`LogArchive`).
///
/// Opened with `O_APPEND`: where others truncate it, the next line begins at its new end. Others may
/// also rename it and send SIGHUP, and nothing is lost. Its directory is not synced, nor is it: a
/// log is no journal.
package final class LogFile: LogSink, @unchecked Sendable {  // Its lane's thread, but `isStale`.
    package let name = "file"

    private let options: LogFileOptions
    private let archive: LogArchive
    private var descriptor: Int32 = -1
    private var size = 0
    /// The time of the first record, in milliseconds since 1970.
    private var began: Int64 = 0
    /// After a failed attempt to put it aside.
    private var asideNotBefore = Deadline(MonotonicTime(nanoseconds: 0))
    /// When files put aside are looked at for their age.
    private var nextTidy = Deadline(MonotonicTime(nanoseconds: 0))
    /// Between two looks at the age of files, while records come: a minute, or a tenth of that age.
    private var tidyInterval: Duration {
        max(.seconds(1), min(.seconds(60), (options.keepAge ?? .seconds(600)) / 10))
    }
    /// What an earlier process has left ends within a line, since it was killed or the disk was full.
    private var isTorn = false
    /// What was written last ends within a line, whose rest comes with the next write.
    private var isMidLine = false
    /// The next write opens it anew, unless that writes the rest of a line.
    private let isStale = Atomic<Bool>(false)
    private let trouble: Locked<String?> = Locked(nil)

    package init(_ options: LogFileOptions) {
        self.options = options
        archive = LogArchive(options)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    package var complaint: String? { trouble.withLock { $0 } ?? archive.complaint }

    package func reopen() { isStale.store(true, ordering: .releasing) }

    /// Opens the file, so that a start can say at once what is wrong with it.
    package func open() throws(LogSinkError) {
        let opened = Glibc.open(options.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard opened >= 0 else {
            // What is open is a file that was put aside, and is about to be removed.
            isStale.store(true, ordering: .releasing)
            throw failure("open")
        }
        if descriptor >= 0 { close(descriptor) }
        descriptor = opened
        var status = stat()
        size = fstat(opened, &status) == 0 ? Int(status.st_size) : 0
        let last = size > 0 ? LogFile.byte(at: size - 1, of: options.path) : nil
        isTorn = last.map { $0 != UInt8(ascii: "\n") } ?? false
        began = size > 0 ? LogFile.firstTime(options.path) : WallClock.nowMilliseconds()
        tidy()
    }

    /// Nil if it cannot be read.
    private static func byte(at offset: Int, of path: String) -> UInt8? {
        let file = Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var byte: UInt8 = 0
        return pread(file, &byte, 1, off_t(offset)) == 1 ? byte : nil
    }

    private func tidy() {
        nextTidy = .after(tidyInterval)
        archive.tidy()
    }

    package func write(_ lines: UnsafeRawBufferPointer) throws(LogSinkError) {
        if !isMidLine {
            if isStale.exchange(false, ordering: .acquiring) || descriptor < 0 { try open() }
            if size > 0, isDue(adding: lines.count) { try putAside() }
        }
        if options.keepAge != nil, nextTidy.hasPassed { tidy() }
        if isTorn { try endTornLine() }
        do throws(LogSinkError) {
            try LogWrite.all(lines, to: descriptor)
            size += lines.count
            isMidLine = false
        } catch {
            size += error.written
            if error.written > 0 { isMidLine = lines[error.written - 1] != UInt8(ascii: "\n") }
            throw error
        }
    }

    /// Or the next record would be glued to what is left of another.
    private func endTornLine() throws(LogSinkError) {
        let end: StaticString = "\n"
        try LogWrite.all(UnsafeRawBufferPointer(start: end.utf8Start, count: 1), to: descriptor)
        size += 1
        isTorn = false
    }

    private func isDue(adding count: Int) -> Bool {
        guard asideNotBefore.hasPassed else { return false }
        if size + count > options.maxBytes { return true }
        guard let maxAge = options.maxAge else { return false }
        return WallClock.nowMilliseconds() - began > maxAge.wholeMilliseconds
    }

    /// A file that cannot be renamed is written on: its lines matter more than its size.
    private func putAside() throws(LogSinkError) {
        let aside = LogArchive.freeName(options.path, at: WallClock.nowMilliseconds())
        guard rename(options.path, aside) == 0 else {
            let reason = "\(aside): \(String(cString: strerror(errno)))"
            trouble.withLock { $0 = reason }
            asideNotBefore = .after(.seconds(60))
            return
        }
        trouble.withLock { $0 = nil }
        try open()
    }

    private func failure(_ call: String) -> LogSinkError {
        LogSinkError(written: 0, "\(call) \(options.path): \(String(cString: strerror(errno)))")
    }

    /// Of the first line, which begins `{"time":"2015-05-17T10:05:03.007Z"`; now, if it does not.
    private static func firstTime(_ path: String) -> Int64 {
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return WallClock.nowMilliseconds() }
        defer { close(file) }
        var head = [UInt8](repeating: 0, count: 33)
        guard read(file, &head, head.count) == head.count else {
            return WallClock.nowMilliseconds()
        }
        return Timestamp.parse(String(decoding: head[9...], as: UTF8.self))
            ?? WallClock.nowMilliseconds()
    }
}
