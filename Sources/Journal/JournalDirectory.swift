internal import Glibc

/// The folder that holds the segments: one thin method per C call. Any thread.
package final class JournalDirectory: Sendable {
    /// Damaged segments are linked or moved here, for people to look at.
    package static let damagedName = "damaged"

    package let path: String
    private let faults: JournalFaults
    private let descriptor: Int32
    /// Of all files in here.
    let retryPolicy: ReadRetryPolicy

    /// Opens the folder, which the caller may first `create`.
    package init(path: String, faults: JournalFaults = .none) throws(JournalError) {
        self.path = path
        self.faults = faults
        retryPolicy = ReadRetryPolicy(servingTime: faults.readRetryTime)
        descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(.unreadable, "open", path, errno) }
    }

    deinit { close(descriptor) }

    /// Makes the folder and those above it, for their owner alone, unless they are there.
    static func create(_ path: String) throws(JournalError) {
        guard mkdir(path, 0o700) == 0 else {
            if errno == EEXIST { return }
            guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex
            else { throw .system(.unwritable, "mkdir", path, errno) }
            let parent = String(path[..<slash])
            // Where a file system takes no folders the parent is there all the same.
            guard access(parent, F_OK) != 0 else {
                throw .system(.unwritable, "mkdir", path, ENOENT)
            }
            try create(parent)
            return try create(path)
        }
        // Without this a crash could lose the folder together with what is safe inside it.
        try JournalDirectory(path: path + "/..").sync()
    }

    /// Everything inside but `.` and `..`, in no order.
    package func names() throws(JournalError) -> [String] {
        guard let stream = opendir(path) else { throw .system(.unreadable, "opendir", path, errno) }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw .system(.unreadable, "readdir", path, errno) }
        return names
    }

    /// A new file, readable by its owner alone; its name is safe only after `sync`.
    func create(_ name: String) throws(JournalError) -> SegmentFile {
        let full = path + "/" + name
        let fault = faults.create?(full) ?? 0
        guard fault == 0 else { throw .system(.unwritable, "open", full, fault) }
        return try open(name, O_RDWR | O_CREAT | O_EXCL, .unwritable)
    }

    func open(_ name: String, isReadOnly: Bool = true) throws(JournalError) -> SegmentFile {
        try open(name, isReadOnly ? O_RDONLY : O_RDWR, .unreadable)
    }

    private func open(
        _ name: String, _ flags: Int32, _ code: JournalError.Code
    ) throws(JournalError) -> SegmentFile {
        let full = path + "/" + name
        while true {
            let file = Glibc.open(full, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
            if file >= 0 {
                return SegmentFile(
                    descriptor: file, path: full, name: name, faults: faults,
                    retryPolicy: retryPolicy)
            }
            guard errno == EINTR else { throw .system(code, "open", full, errno) }
        }
    }

    func rename(_ old: String, to new: String) throws(JournalError) {
        let full = path + "/" + old
        guard Glibc.rename(full, path + "/" + new) == 0 else {
            throw .system(.unwritable, "rename", full, errno)
        }
    }

    /// Unlinks a file; one that is already gone is no error.
    func remove(_ name: String) throws(JournalError) {
        let full = path + "/" + name
        guard unlink(full) == 0 || errno == ENOENT else {
            throw .system(.unwritable, "unlink", full, errno)
        }
    }

    /// Keeps a second name of the file in `damaged`, which costs no space now and keeps the bytes
    /// when the first name goes.
    func linkDamaged(_ name: String) throws(JournalError) {
        try JournalDirectory.create(path + "/" + JournalDirectory.damagedName)
        let full = path + "/" + name
        for number in 0... {
            let suffix = number == 0 ? "" : ".\(number)"
            let other = "\(path)/\(JournalDirectory.damagedName)/\(name)\(suffix)"
            if link(full, other) == 0 { return }
            guard errno == EEXIST else { throw .system(.unwritable, "link", full, errno) }
            // Another file had this name before.
            if JournalDirectory.isSame(full, other) { return }
        }
    }

    private static func isSame(_ one: String, _ other: String) -> Bool {
        var (first, second) = (stat(), stat())
        return lstat(one, &first) == 0 && lstat(other, &second) == 0
            && first.st_ino == second.st_ino && first.st_dev == second.st_dev
    }

    /// Moves the file out of the way, into `damaged`.
    func moveToDamaged(_ name: String) throws(JournalError) {
        try linkDamaged(name)
        try remove(name)
    }

    /// What is left on the file system for us. The corresponding C function is `fstatvfs`.
    func freeBytes() throws(JournalError) -> Int {
        var status = statvfs()
        guard fstatvfs(descriptor, &status) == 0 else {
            throw .system(.unreadable, "fstatvfs", path, errno)
        }
        return Int(clamping: status.f_bavail) * Int(clamping: status.f_frsize)
    }

    /// Makes names and removals safe. The corresponding C function is `fsync`.
    func sync() throws(JournalError) {
        while fsync(descriptor) != 0 {
            if errno != EINTR { throw .system(.unwritable, "fsync", path, errno) }
        }
    }
}
