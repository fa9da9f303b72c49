internal import Glibc
import Primitives

/// Log files that were put aside: `millrace.log.20261129T223501.007Z`, compressed with `.gz`. A
/// thread of low priority compresses the new ones and removes the oldest beyond what is kept; it
/// looks at the directory each time, so nothing is forgotten when a process ends halfway.
final class LogArchive: Sendable {
    private struct State {
        var isRunning = false
        /// Something was put aside meanwhile.
        var isAsked = false
        var complaint: String?
    }

    /// A gzip file may be many members one after the other (RFC 1952, 2.2), so no more than this is
    /// in memory.
    private static let pieceBytes = 1 << 20
    private static let compressed = ".gz"
    private static let unfinished = ".gz.tmp"

    private let directory: String
    /// What all names begin with: the file's own name and a dot.
    private let prefix: String
    private let options: LogFileOptions
    private let state = Locked(State())

    init(_ options: LogFileOptions) {
        self.options = options
        let parts = options.path.split(separator: "/", omittingEmptySubsequences: false)
        directory = parts.count > 1 ? parts.dropLast().joined(separator: "/") + "/" : "./"
        prefix = "\(parts.last ?? "")."
    }

    /// What a file that is put aside at this time is called.
    static func name(_ path: String, at milliseconds: Int64) -> String {
        let stamp = Timestamp.format(milliseconds).filter { $0 != "-" && $0 != ":" }
        return "\(path).\(stamp)"
    }

    /// The same, or that of a later millisecond: files may be put aside faster than that, and a clock
    /// that was set back gives times again.
    static func freeName(_ path: String, at milliseconds: Int64) -> String {
        var milliseconds = milliseconds
        while true {
            let name = name(path, at: milliseconds)
            if access(name, F_OK) != 0, access("\(name).gz", F_OK) != 0 { return name }
            milliseconds += 1
        }
    }

    var complaint: String? { state.withLock { $0.complaint } }

    /// Does the work on a thread of its own; one at a time.
    func tidy() {
        let isIdle = state.withLock { state -> Bool in
            state.isAsked = true
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard isIdle else { return }
        _ = Thread(name: "log-archive", priority: .nice(10)) { [self] in
            while isWanted() { work() }
        }
    }

    private func isWanted() -> Bool {
        state.withLock { state in
            defer { state.isAsked = false }
            state.isRunning = state.isAsked
            return state.isAsked
        }
    }

    private func work() {
        var complaint: String?
        for name in names() where !name.hasSuffix(LogArchive.compressed) {
            if name.hasSuffix(LogArchive.unfinished) {
                unlink(directory + name)
            } else if let reason = compress(directory + name) {
                complaint = reason
            }
        }
        retain()
        state.withLock { [complaint] in $0.complaint = complaint }
    }

    /// Oldest first: a stamp has the order of its time.
    private func names() -> [String] {
        guard let folder = opendir(directory) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if isOurs(name) { names.append(name) }
        }
        return names.sorted()
    }

    /// The prefix, and a stamp after it.
    private func isOurs(_ name: String) -> Bool {
        guard name.hasPrefix(prefix) else { return false }
        let stamp = name.utf8.dropFirst(prefix.utf8.count).prefix(9)
        return stamp.count == 9 && stamp.last == UInt8(ascii: "T")
            && stamp.dropLast().allSatisfy { (0x30...0x39).contains($0) }
    }

    /// - Returns: why it could not; the file is then as it was.
    private func compress(_ path: String) -> String? {
        func reason(_ what: String) -> String {
            "\(what) \(path): \(String(cString: strerror(errno)))"
        }
        let source = open(path, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { return reason("open") }
        defer { close(source) }
        let temporary = path + LogArchive.unfinished
        let target = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard target >= 0 else { return reason("create") }
        defer { close(target) }
        guard copy(source, to: target), rename(temporary, path + LogArchive.compressed) == 0 else {
            defer { unlink(temporary) }
            return reason("compress")
        }
        return unlink(path) == 0 ? nil : reason("remove")
    }

    private func copy(_ source: Int32, to target: Int32) -> Bool {
        let piece = UnsafeMutableRawBufferPointer.allocate(
            byteCount: LogArchive.pieceBytes, alignment: 8)
        defer { piece.deallocate() }
        while true {
            let count = read(source, piece.baseAddress, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count == 0 }
            let bytes = gzipCompress(UnsafeRawBufferPointer(rebasing: piece[..<count]), level: 6)
            do throws(LogSinkError) { try LogWrite.all(bytes.span, to: target) } catch {
                return false
            }
        }
    }

    private func retain() {
        var (files, bytes) = (0, 0)
        // What came later is younger; a clock that was set back keeps files longer.
        let oldest = options.keepAge.map {
            LogArchive.name("", at: WallClock.nowMilliseconds() - $0.wholeMilliseconds).dropFirst()
        }
        for name in names().reversed() {
            var status = stat()
            guard stat(directory + name, &status) == 0 else { continue }
            files += 1
            bytes += Int(status.st_size)
            let isOld = oldest.map { name.dropFirst(prefix.count) < $0 } ?? false
            if isOld || files > options.keepFiles || bytes > options.keepBytes {
                unlink(directory + name)
            }
        }
    }
}
