import TestSupport
import Testing

/// The rules that make "a breaker around every Redis call" a fact.
struct RedisBorderTests {
    private static let sources =
        String(
            #filePath.prefix { _ in true }.dropLast("Tests/RedisTests/RedisBorderTests.swift".count)
        ) + "Sources/"

    private func files(under folder: String) -> [String] {
        FileSystem.names(in: folder).flatMap { name in
            name.hasSuffix(".swift") ? [folder + name] : files(under: folder + name + "/")
        }
    }

    private func lines(of path: String) -> [Substring] {
        FileSystem.text(path).split(separator: "\n")
    }

    @Test func `no file outside the room imports hiredis, and none inside passes it on`() {
        var importers = 0
        for path in files(under: RedisBorderTests.sources) {
            for line in lines(of: path) where line.contains("import CHiredis") {
                importers += 1
                #expect(path.hasPrefix(RedisBorderTests.sources + "Redis/"), "\(path)")
                #expect(line == "internal import CHiredis", "\(path)")
            }
        }
        #expect(importers > 0)
    }

    @Test func `the raw connection, its maker and its pool stay inside the room`() {
        let inner = ["RedisConnection", "RedisConnector", "RedisPool", "GuardedLane"]
        var declared: Set<String> = []
        for path in files(under: RedisBorderTests.sources + "Redis/") {
            for line in lines(of: path) {
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
