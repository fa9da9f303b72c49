import Glibc
import Testing

/// The rules that make "a breaker around every Redis call" a fact.
struct RedisBorderTests {
    private static let sources =
        String(
            #filePath.prefix { _ in true }.dropLast("Tests/RedisTests/RedisBorderTests.swift".count)
        ) + "Sources/"

    private func files(under folder: String) throws -> [String] {
        let directory = try #require(opendir(folder))
        defer { closedir(directory) }
        var found: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(".") { continue }
            if entry.pointee.d_type == UInt8(DT_DIR) {
                found += try files(under: folder + name + "/")
            } else if name.hasSuffix(".swift") {
                found.append(folder + name)
            }
        }
        return found
    }

    private func lines(of path: String) throws -> [Substring] {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }

    @Test func `no file outside the room imports hiredis, and none inside passes it on`() throws {
        var importers = 0
        for path in try files(under: RedisBorderTests.sources) {
            for line in try lines(of: path) where line.contains("import CHiredis") {
                importers += 1
                #expect(path.hasPrefix(RedisBorderTests.sources + "Redis/"), "\(path)")
                #expect(line == "internal import CHiredis", "\(path)")
            }
        }
        #expect(importers > 0)
    }

    @Test func `the raw connection, its maker and its pool stay inside the room`() throws {
        let inner = ["RedisConnection", "RedisConnector", "RedisPool", "GuardedLane"]
        var declared: Set<String> = []
        for path in try files(under: RedisBorderTests.sources + "Redis/") {
            for line in try lines(of: path) {
                for name in inner {
                    let isDeclared = ["class", "struct", "extension", "enum", "protocol"]
                        .contains {
                            line.contains("\($0) \(name) ") || line.contains("\($0) \(name):")
                        }
                    if isDeclared { declared.insert(name) }
                    let isOpened = line.contains("package ") || line.contains("public ")
                    #expect(!(isOpened && line.contains(name)), "\(path): \(line)")
                }
            }
        }
        #expect(declared == Set(inner))
    }
}
