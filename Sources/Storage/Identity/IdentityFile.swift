internal import Glibc
import Primitives

/// Why a file of the identity index is of no use. It is derived data: the rows make it again.
enum IdentityFileError: Error {
    /// It is not what was written, or belongs to another store or another past of this one.
    case damaged(String)
    /// The operating system failed to read or write.
    case system(String, Int32)
    /// The store closes meanwhile.
    case cancelled

    var message: String {
        switch self {
        case .damaged(let what): what
        case .system(let what, let code): "\(what): \(String(cString: strerror(code)))"
        case .cancelled: "cancelled"
        }
    }
}

/// An open file of the identity index: one thin method per C call. Any thread.
final class IdentityFile: Sendable {
    let path: String
    private let descriptor: Int32

    /// Opens an existing file to read.
    init(reading path: String) throws(IdentityFileError) {
        self.path = path
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open \(path)", errno) }
    }

    /// Makes a new file, readable by its owner alone.
    init(creating path: String) throws(IdentityFileError) {
        self.path = path
        descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("open \(path)", errno) }
    }

    deinit { close(descriptor) }

    /// Fills `target`. The corresponding C function is `pread`.
    func read(_ target: UnsafeMutableRawBufferPointer, at offset: Int) throws(IdentityFileError) {
        var done = 0
        while done < target.count, let base = target.baseAddress {
            let got = pread(descriptor, base + done, target.count - done, off_t(offset + done))
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .system("pread \(path)", errno) }
            guard got > 0 else { throw .damaged("\(path) ends early") }
            done += got
        }
    }

    /// Fills `words`.
    func read(_ words: inout [UInt64], at offset: Int) throws(IdentityFileError) {
        try words.withUnsafeMutableBytes { bytes in
            Result { () throws(IdentityFileError) in try read(bytes, at: offset) }
        }.get()
    }

    /// The corresponding C function is `pwrite`.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(IdentityFileError) {
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            let put = pwrite(descriptor, base + done, bytes.count - done, off_t(offset + done))
            if put < 0, errno == EINTR { continue }
            guard put >= 0 else { throw .system("pwrite \(path)", errno) }
            done += put
        }
    }

    /// The corresponding C function is `fdatasync`.
    func sync() throws(IdentityFileError) {
        guard fdatasync(descriptor) == 0 else { throw .system("fdatasync \(path)", errno) }
    }
}

/// The folder of the identity index, beside the database. Any thread.
struct IdentityFolder: Sendable {
    let path: String

    init(database: String) { path = database + "-identity" }

    /// Makes the folder unless it is there.
    func create() throws(IdentityFileError) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw .system("mkdir \(path)", errno)
        }
    }

    /// Names inside but `.` and `..`; none if there is no folder.
    func names() -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    func rename(_ name: String, to newName: String) throws(IdentityFileError) {
        guard Glibc.rename(file(name), file(newName)) == 0 else {
            throw .system("rename \(file(name))", errno)
        }
        try sync()
    }

    /// What cannot be removed is found again by the next start.
    func remove(_ name: String) { unlink(file(name)) }

    /// Makes names and removals safe. The corresponding C function is `fsync`.
    func sync() throws(IdentityFileError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open \(path)", errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .system("fsync \(path)", errno) }
    }

    func file(_ name: String) -> String { path + "/" + name }
}
