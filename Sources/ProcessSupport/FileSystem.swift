internal import Glibc

/// Files and folders as tests and benchmarks look at them: whole, and without Foundation.
package enum FileSystem {
    /// The whole of a file; nil if it cannot be opened.
    package static func read(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    /// The whole of a file as text; empty if it cannot be opened.
    package static func text(_ path: String) -> String {
        String(decoding: read(path) ?? [], as: UTF8.self)
    }

    /// Makes a file with these bytes, or replaces what it held.
    package static func write(_ bytes: some Sequence<UInt8>, to path: String) throws(SystemFailure)
    {
        guard let file = fopen(path, "we") else { throw SystemFailure(path, errno: errno) }
        let bytes = Array(bytes)
        let count = fwrite(bytes, 1, bytes.count, file)
        // What was only buffered is written, and may fail, here.
        guard fclose(file) == 0, count == bytes.count else {
            throw SystemFailure("\(path) is not written")
        }
    }

    /// The names in a folder, sorted, without `.` and `..`; none if there is no such folder.
    package static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes a file, or a folder with all it holds. A link is removed, not followed.
    package static func remove(_ path: String) {
        guard unlink(path) != 0 else { return }
        for name in names(in: path) { remove(path + "/" + name) }
        rmdir(path)
    }
}
