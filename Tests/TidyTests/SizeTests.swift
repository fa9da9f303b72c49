import Testing

@Suite struct SizeTests {
    let files = Repository.sources + Repository.tests

    @Test func `no file is longer than 500 lines`() {
        let plain = (Repository.files(below: "Sources") + Repository.files(below: "Tests"))
            .filter { path in [".c", ".cpp", ".h", ".py"].contains { path.hasSuffix($0) } }
            .compactMap { path in
                Repository.text(of: path).map { SourceFile(path: path, text: $0) }
            }
        let long = (files + plain).filter { !$0.isGenerated && $0.lines.count > 501 }
        #expect(long.map { "\($0.path): \($0.lines.count - 1)" }.isEmpty)
    }

    @Test func `no function is longer than 70 lines`() {
        var counted = 0
        var long: [String] = []
        for file in files where !file.isGenerated {
            for function in FunctionLength.all(in: file) {
                counted += 1
                if function.lineCount > 70 {
                    long.append("\(file.place(function.line)): \(function.lineCount) lines")
                }
            }
        }
        #expect(long.isEmpty)
        #expect(counted > files.count / 2, "the counter has lost sight of functions")
    }

    @Test func `functions are measured from their keyword to their closing brace`() {
        let text = """
            struct A {
                var sum: Int { 1 }
                func first(_ body: () -> Void = {}) -> [Int] {
                    if true { let s = "}" }
                    return [1]  // }
                }
                init() {}
            }
            protocol B {
                func second()
                var third: Int { get }
            }
            """
        let found = FunctionLength.all(in: SourceFile(path: "Sources/A/A.swift", text: text))
        #expect(found.map(\.line) == [2, 6])
        #expect(found.map(\.lineCount) == [4, 1])
    }

    @Test func `README stays under 150 lines`() throws {
        let text = try #require(Repository.text(of: "README.md"))
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count <= 150)
    }
}
