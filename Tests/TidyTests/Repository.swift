import Glibc
import ProcessSupport

/// The files of this package as they lie on disk, without what building leaves behind.
enum Repository {
    /// The folder that holds `Package.swift`; ends without a slash.
    static let root: String = {
        // <root>/Tests/TidyTests/Repository.swift
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(3)
        return parts.joined(separator: "/")
    }()

    /// Every file below `folder` (relative to the root; empty for all), in no certain order, as
    /// paths relative to the root. Symbolic links are followed to files, never into folders.
    static func files(below folder: String = "") -> [String] {
        var found: [String] = []
        var waiting = [folder]
        while let folder = waiting.popLast() {
            for entry in entries(of: folder) {
                let path = folder.isEmpty ? entry.name : folder + "/" + entry.name
                if isLeftOut(path) { continue }
                if entry.isFolder { waiting.append(path) } else { found.append(path) }
            }
        }
        return found
    }

    /// The Swift files of the service and of the tests. Reading them takes a second, so it is done
    /// once.
    static let sources = swiftFiles(below: "Sources")
    static let tests = swiftFiles(below: "Tests")

    /// The Swift files below `folder`, read.
    private static func swiftFiles(below folder: String) -> [SourceFile] {
        files(below: folder).filter { $0.hasSuffix(".swift") }.sorted().compactMap { path in
            text(of: path).map { SourceFile(path: path, text: $0) }
        }
    }

    /// Names at the top level that git has, committed or added; empty outside a work tree.
    static func committedAtTop() -> Set<String> {
        guard let folder = try? TemporaryDirectory() else { return [] }
        let output = folder.file("names")
        let git = try? ChildProcess(
            ["git", "-C", root, "ls-files", "-z"], output: output, errors: "/dev/null")
        guard git?.ending(within: .seconds(60)) == .exited(0) else { return [] }
        return Set(
            (FileSystem.read(output) ?? []).split(separator: 0).map { path in
                String(decoding: path.prefix { $0 != UInt8(ascii: "/") }, as: UTF8.self)
            })
    }

    struct Entry {
        var name: String
        var isFolder: Bool
    }

    static func entries(of folder: String) -> [Entry] {
        guard let stream = opendir(root + "/" + folder) else { return [] }
        defer { closedir(stream) }
        var found: [Entry] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name == "." || name == ".." { continue }
            found.append(Entry(name: name, isFolder: entry.pointee.d_type == UInt8(DT_DIR)))
        }
        return found
    }

    /// Nil if there is no such file.
    static func text(of path: String) -> String? {
        FileSystem.read(root + "/" + path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// What building, running and git leave; in a second work tree `.git` is a file.
    private static func isLeftOut(_ path: String) -> Bool {
        path == ".git" || path == ".swiftpm" || path == "data" || path.hasPrefix(".build")
            || path.hasSuffix("__pycache__") || path.hasSuffix("/.hypothesis")
    }
}
