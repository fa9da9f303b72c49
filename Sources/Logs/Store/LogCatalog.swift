internal import Glibc
import Primitives
import Storage

/// The days that there are, and their files: `2026-11-30.db`, then `2026-11-30.1.db` once the day
/// has been written anew. A path is never used again, so nobody who still has an old file open can
/// meet a new one under its name.
///
/// Any thread. A reader holds a lease on a day's file; a file is unlinked once its leases have
/// ended.
final class LogCatalog: Sendable {
    struct File: Hashable, Sendable {
        var day: LogDay
        /// Counts how often the day has been written anew.
        var version: Int

        var name: String { version == 0 ? "\(day.text).db" : "\(day.text).\(version).db" }

        init(day: LogDay, version: Int) {
            self.day = day
            self.version = version
        }

        /// Nil for a name that is none of a day's file.
        init?(name: String) {
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.last == "db", let first = parts.first, let day = LogDay(first) else {
                return nil
            }
            switch parts.count {
            case 2: self.init(day: day, version: 0)
            case 3:
                guard let version = Int(parts[1]), version > 0 else { return nil }
                self.init(day: day, version: version)
            default: return nil
            }
            guard self.name == name else { return nil }
        }
    }

    /// A file that stays where it is until this goes away.
    final class Lease: Sendable {
        let file: File
        let path: String
        private let catalog: LogCatalog

        init(_ file: File, _ catalog: LogCatalog) {
            self.file = file
            path = catalog.path(file)
            self.catalog = catalog
        }

        deinit { catalog.end(file) }
    }

    private struct State {
        var versions: [LogDay: Int] = [:]
        var leases: [File: Int] = [:]
        /// Versions that were given up, by day, so that none is used again.
        var highestVersions: [LogDay: Int] = [:]
        /// Damaged files that were set aside and are still there.
        var setAside: Set<LogSetAside> = []
        /// Records up to this day are refused: their days have been dropped. It holds for days of
        /// the past alone: a clock that ran ahead must not close the days that are still to come.
        var floor: LogDay?
    }

    let directory: String
    private let state: Monitor<State>

    /// Finds the files in `directory`, which is made if it is missing, and clears away what a crash
    /// has left half done.
    init(directory: String) throws(StorageError) {
        self.directory = directory
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
            throw StorageError(.inputOutput, "\(directory): \(String(cString: strerror(errno)))")
        }
        var state = State()
        let names = try LogCatalog.names(in: directory)
        let files = names.compactMap(File.init).sorted { $0.version < $1.version }
        var old: [File] = []
        for file in files {
            if let version = state.versions[file.day] {
                old.append(File(day: file.day, version: version))
            }
            state.versions[file.day] = file.version
            state.highestVersions[file.day] = file.version
        }
        state.floor = LogCatalog.readFloor(directory)
        state.setAside = Set(names.compactMap { LogSetAside(name: $0) })
        self.state = Monitor(state)
        for file in old { unlinkAll(path(file)) }
        for name in names where name.hasSuffix(LogCatalog.temporarySuffix) {
            unlinkAll("\(directory)/\(name)")
        }
    }

    static let temporarySuffix = ".new"

    func path(_ file: File) -> String { "\(directory)/\(file.name)" }

    func has(_ day: LogDay) -> Bool { state.withLock { $0.versions[day] != nil } }
    var dayCount: Int { state.withLock { $0.versions.count } }
    /// Newest first.
    var days: [LogDay] { state.withLock { $0.versions.keys.sorted(by: >) } }
    var files: [File] {
        state.withLock { state in
            state.versions.map { File(day: $0.key, version: $0.value) }
                .sorted { $0.day > $1.day }
        }
    }
    /// Days of which there is a file, a damaged one that was set aside included; newest first.
    var heldDays: [LogDay] {
        state.withLock { state in
            Set(state.versions.keys).union(state.setAside.map(\.day)).sorted(by: >)
        }
    }
    /// Damaged files that were set aside, of days that `isWanted` says.
    func setAside(_ isWanted: (LogDay) -> Bool = { _ in true }) -> [LogSetAside] {
        state.withLock { $0.setAside.filter { isWanted($0.day) } }
    }
    /// The files that were written to last, and all that have a write-ahead log.
    func recentFiles(_ count: Int) -> [File] {
        let files = files.sorted {
            LogCatalog.changeTime(path($0)) > LogCatalog.changeTime(path($1))
        }
        return Array(files.prefix(count))
            + files.dropFirst(count).filter { LogCatalog.size(path($0) + "-wal") > 0 }
    }

    func lease(_ day: LogDay) -> Lease? {
        let file = state.withLock { state -> File? in
            guard let version = state.versions[day] else { return nil }
            let file = File(day: day, version: version)
            state.leases[file, default: 0] += 1
            return file
        }
        return file.map { Lease($0, self) }
    }

    private func end(_ file: File) {
        state.change { state in
            let left = (state.leases[file] ?? 1) - 1
            state.leases[file] = left == 0 ? nil : left
        }
    }

    // MARK: Changes, by the store's thread alone

    /// The file that records of `day` go to, which may not be there yet; nil for a dropped day.
    func fileForWriting(_ day: LogDay) -> File? {
        state.withLock { state in
            if let floor = state.floor, day <= floor, day < .today { return nil }
            let version =
                state.versions[day] ?? state.highestVersions[day].map { $0 + 1 } ?? 0
            return File(day: day, version: version)
        }
    }

    /// Shows a file that has been made to readers.
    func add(_ file: File) {
        state.withLock { state in
            state.versions[file.day] = file.version
            state.highestVersions[file.day] = file.version
        }
    }

    /// Takes a day out, waits for its readers, and unlinks its file. The writer has closed it.
    /// - Parameters:
    ///   - raisesFloor: refuse records of the day, and of earlier days, from now on.
    ///   - leases: those that the caller holds.
    func drop(_ day: LogDay, raisesFloor: Bool, leases: Int = 0) throws(StorageError) {
        if raisesFloor { try raiseFloor(to: day) }
        let file = state.withLock { state -> File? in
            state.versions.removeValue(forKey: day).map { File(day: day, version: $0) }
        }
        if let file { unlinkWhenFree(file, leases: leases) }
    }

    /// Puts the file at `temporary` in the place of the one that `lease` is on, which is unlinked
    /// once its other readers have ended.
    func replace(_ lease: Lease, with temporary: String) throws(StorageError) {
        let old = lease.file
        let new = File(day: old.day, version: old.version + 1)
        guard rename(temporary, path(new)) == 0 else {
            throw StorageError(.inputOutput, "\(path(new)): \(String(cString: strerror(errno)))")
        }
        for suffix in LogCatalog.suffixes.dropFirst() { unlink(temporary + suffix) }
        LogCatalog.sync(directory)
        add(new)
        unlinkWhenFree(old, leases: 1)
    }

    /// Renames a damaged file, so that its day begins anew.
    /// - Returns: the new path.
    func setAside(_ file: File, time: Int64) throws(StorageError) -> String {
        let aside = LogSetAside(file, time: time)
        let base = "\(directory)/\(aside.name)"
        state.withLock { state in
            state.versions[file.day] = nil
            state.highestVersions[file.day] = file.version
            state.setAside.insert(aside)
        }
        for suffix in LogCatalog.suffixes {
            guard rename(path(file) + suffix, base + suffix) == 0 || errno == ENOENT else {
                throw StorageError(.inputOutput, "\(base): \(String(cString: strerror(errno)))")
            }
        }
        return base
    }

    /// Removes damaged files that were set aside, for good.
    func remove(_ files: [LogSetAside]) {
        guard !files.isEmpty else { return }
        state.withLock { $0.setAside.subtract(files) }
        for file in files { unlinkAll("\(directory)/\(file.name)") }
        LogCatalog.sync(directory)
    }

    // MARK: Files

    static let suffixes = ["", "-wal", "-shm"]
    /// The longest that a query runs, and a little more.
    private static let leasePatience = Duration.seconds(60)

    /// Of all files of a day together, damaged ones that were set aside included.
    func bytes(of day: LogDay) -> Int64 {
        let (version, aside) = state.withLock { state in
            (state.versions[day], state.setAside.filter { $0.day == day })
        }
        var names = aside.map(\.name)
        if let version { names.append(File(day: day, version: version).name) }
        return names.reduce(0) { bytes, name in
            LogCatalog.suffixes.reduce(bytes) { $0 + LogCatalog.size("\(directory)/\(name)\($1)") }
        }
    }

    /// Nanoseconds since 1970; zero if there is no such file.
    private static func changeTime(_ path: String) -> Int64 {
        var status = stat()
        guard stat(path, &status) == 0 else { return 0 }
        return Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    }

    /// Zero if there is no such file.
    static func size(_ path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    /// - Parameter leases: those that the caller holds.
    private func unlinkWhenFree(_ file: File, leases: Int = 0) {
        _ = state.wait(
            until: .after(LogCatalog.leasePatience), for: { ($0.leases[file] ?? 0) <= leases },
            then: { _ in })
        unlinkAll(path(file))
        LogCatalog.sync(directory)
    }

    private func unlinkAll(_ path: String) {
        for suffix in LogCatalog.suffixes { unlink(path + suffix) }
    }

    /// The files that count, without changing anything: of each day the latest.
    static func files(in directory: String) throws(StorageError) -> [File] {
        let files = try names(in: directory).compactMap(File.init)
        return Dictionary(grouping: files, by: \.day).values
            .compactMap { $0.max { $0.version < $1.version } }.sorted { $0.day < $1.day }
    }

    static func names(in directory: String) throws(StorageError) -> [String] {
        guard let open = opendir(directory) else {
            throw StorageError(.inputOutput, "\(directory): \(String(cString: strerror(errno)))")
        }
        defer { closedir(open) }
        var names: [String] = []
        while let entry = readdir(open) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names
    }

    private static func floorPath(_ directory: String) -> String { "\(directory)/dropped-until" }

    private static func readFloor(_ directory: String) -> LogDay? {
        let file = open(floorPath(directory), O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: 10)
        guard read(file, &text, text.count) == text.count else { return nil }
        return LogDay(String(decoding: text, as: UTF8.self))
    }

    /// Written before a file is unlinked: after a crash between the two the day is dropped again.
    private func raiseFloor(to day: LogDay) throws(StorageError) {
        guard state.withLock({ $0.floor.map { $0 < day } ?? true }) else { return }
        let path = LogCatalog.floorPath(directory)
        let temporary = path + LogCatalog.temporarySuffix
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw StorageError(.inputOutput, "\(temporary): \(String(cString: strerror(errno)))")
        }
        defer { close(file) }
        let text = Array("\(day.text)\n".utf8)
        guard write(file, text, text.count) == text.count, fsync(file) == 0,
            rename(temporary, path) == 0
        else {
            throw StorageError(.inputOutput, "\(path): \(String(cString: strerror(errno)))")
        }
        LogCatalog.sync(directory)
        // Not before it is written: a try that failed is made again.
        state.withLock { $0.floor = day }
    }

    /// A failure costs durability of a rename alone, which some file systems do not offer.
    private static func sync(_ path: String) {
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return }
        fsync(directory)
        close(directory)
    }
}
