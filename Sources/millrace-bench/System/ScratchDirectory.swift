internal import Glibc
import ProcessSupport

/// A new folder that holds what a run writes.
struct ScratchDirectory: Sendable {
    /// Absolute or relative to where the program was started; ends without a slash.
    let path: String

    /// - Parameter parent: where the folder is made; the disk under it is the one measured.
    init(in parent: String) throws(BenchFailure) {
        // mkdtemp(3) puts the name in place of six of them.
        let placeholder = String(repeating: "X", count: 6)
        var template = Array("\(parent)/bench-data-\(placeholder)".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw BenchFailure("no folder in \(parent): \(String(cString: strerror(errno)))")
        }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes a folder of that name, and removes first what an earlier round left there.
    func freshFolder(_ name: String) throws(BenchFailure) -> String {
        let folder = file(name)
        FileSystem.remove(folder)
        guard mkdir(folder, 0o700) == 0 else {
            throw BenchFailure("cannot make \(folder): \(String(cString: strerror(errno)))")
        }
        return folder
    }

    /// Whether it lies in memory, where nothing ever waits for a disk.
    var isInMemory: Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { return false }
        // The macros that take a device number apart are not visible to Swift.
        let device = UInt64(status.st_dev)
        let major = device >> 8 & 0xFFF | device >> 32 & 0xFFFF_F000
        let minor = device & 0xFF | device >> 12 & 0xFFFF_FF00
        // proc(5): the third word is the device; the file system's type stands behind a lone dash.
        return FileSystem.text("/proc/self/mountinfo").split(separator: "\n").contains { line in
            let words = line.split(separator: " ")
            guard words.count > 2, words[2] == "\(major):\(minor)",
                let dash = words.firstIndex(of: "-")
            else {
                return false
            }
            return words[(dash + 1)...].first == "tmpfs"
        }
    }

    func remove() { FileSystem.remove(path) }
}
