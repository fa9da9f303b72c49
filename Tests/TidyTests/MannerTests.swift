import Testing

/// How the code reads, as far as a look at the text can tell.
@Suite struct MannerTests {
    let sources = Repository.sources
    let tests = Repository.tests

    @Test func `nothing is left to do later`() {
        // Written in two parts, so that this file does not find itself.
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
        let checked = Repository.files().filter { !$0.hasSuffix(".jar") && !isResource($0) }
        let offenders = checked.flatMap { path in
            places(in: path) { line in
                let words = line.split { !$0.isLetter }
                return marks.contains { mark in words.contains { $0 == mark } }
            }
        }
        #expect(offenders.isEmpty)
    }

    @Test func `no file names a place on one machine`() {
        let places = ["/wo" + "rk/", "/ro" + "ot/", "/tmp/" + "wt", "/ho" + "me/"]
        let offenders = Repository.files().filter { !isResource($0) }.flatMap { path in
            self.places(in: path) { line in places.contains { line.contains($0) } }
        }
        #expect(offenders.isEmpty)
    }

    @Test func `the environment is read only in Service`() {
        let readers: Set<Substring> = ["getenv", "secure_getenv", "environ", "ProcessInfo"]
        let offenders = sources.filter { $0.room != "Service" }.flatMap { file in
            file.code.indices.filter { index in
                file.code[index].split { !$0.isLetter && $0 != "_" }.contains(
                    where: readers.contains)
            }
            .map(file.place)
        }
        #expect(offenders.isEmpty)
    }

    @Test func `every promise the compiler cannot check names its lock or thread`() {
        let promises = ["@unchecked Sendable", "nonisolated(unsafe)", "@preconcurrency"]
        let offenders = (sources + tests).flatMap { file in
            file.code.indices.filter { index in
                promises.contains { file.code[index].contains($0) }
                    && !file.lines[index].contains("//") && !hasCommentAbove(file, index)
            }
            .map(file.place)
        }
        #expect(offenders.isEmpty)
    }

    /// Swift 6.3 wraps it once more at each access, and calling it then overflows the stack.
    @Test func `no lock holds a function directly`() {
        let offenders = (sources + tests).flatMap { file in
            file.code.indices.filter { index in
                ["Locked<(", "Monitor<(", "Locked<@", "Monitor<@"].contains {
                    file.code[index].contains($0)
                }
            }
            .map(file.place)
        }
        #expect(offenders.isEmpty)
    }

    @Test func `nothing traps on nil or on an error`() {
        let offenders = (sources + tests).flatMap { file in
            file.code.indices.filter { trapsOnNil(file.code[$0]) }.map(file.place)
        }
        #expect(offenders.isEmpty)
    }

    @Test func `tests are named as sentences`() {
        let offenders = tests.flatMap { file in
            file.code.indices.filter { index in
                file.code[index].split(separator: " ").first?.hasPrefix("@Test") == true
                    && file.code[index...].first { $0.contains("func ") }?.contains("func `")
                        != true
            }
            .map(file.place)
        }
        #expect(offenders.isEmpty)
    }

    @Test func `files are named after their main noun`() {
        let vague = ["Utils", "Util", "Manager", "Helper", "Helpers", "Common", "Misc"]
        let offenders = (sources + tests).map(\.path).filter { path in
            let name = path.split(separator: "/").last?.dropLast(".swift".count) ?? ""
            return vague.contains { name.hasSuffix($0) }
        }
        #expect(offenders.isEmpty)
    }

    @Test func `the top level holds what belongs there and nothing more`() {
        let expected: Set = [
            "Package.swift", "Package.resolved", "Sources", "Tests", "openapi.yaml", "docker",
            "Makefile", "README.md", "LICENSE",
        ]
        // Files of somebody who uses it, such as a configuration or data, are theirs.
        let found = Repository.committedAtTop().filter { !$0.hasPrefix(".") }
        #expect(found.subtracting(expected).isEmpty)
        let present = Set(Repository.entries(of: "").map(\.name))
        #expect(expected.subtracting(present).subtracting(["Package.resolved"]).isEmpty)
    }

    private func places(in path: String, where isOffence: (Substring) -> Bool) -> [String] {
        guard let text = Repository.text(of: path) else { return [] }
        return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            .filter { isOffence($0.element) }.map { "\(path):\($0.offset + 1)" }
    }

    /// Test data is as it is found in the world.
    private func isResource(_ path: String) -> Bool {
        path.contains("/Resources/") || path.contains("/Corpus/")
    }

    private func hasCommentAbove(_ file: SourceFile, _ index: Int) -> Bool {
        guard index > 0 else { return false }
        return file.lines[index - 1].drop { $0 == " " }.hasPrefix("//")
    }

    /// `try!`, `as!`, and `!` behind a value; `!=` and a prefix `!` are something else.
    private func trapsOnNil(_ line: String) -> Bool {
        let bytes = Array(line.utf8)
        return bytes.indices.contains { index in
            guard bytes[index] == UInt8(ascii: "!"), index > 0 else { return false }
            let next = index + 1 < bytes.count ? bytes[index + 1] : UInt8(ascii: " ")
            guard next != UInt8(ascii: "=") || bytes[index - 1] == UInt8(ascii: ")") else {
                return false
            }
            let before = Character(UnicodeScalar(bytes[index - 1]))
            return before.isLetter || before.isNumber || ")]}`_?".contains(before)
        }
    }
}
