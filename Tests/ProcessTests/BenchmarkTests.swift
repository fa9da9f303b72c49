internal import Glibc
import Testing
import TestSupport

/// The benchmarks as a program: that they run and tell what they found. No time is asserted.
@Suite(.processes) struct BenchmarkTests {
    @Test func `names every benchmark once`() throws {
        let run = try BenchmarkRun(["--list"])
        let names = run.output.split(separator: "\n").compactMap {
            $0.split(separator: " ").first.map(String.init)
        }
        #expect(run.status == .exited(0))
        #expect(names.contains("decode") && names.contains("events"))
        #expect(Set(names).count == names.count)
    }

    @Test func `measures what it is asked for and writes it down as JSON`() throws {
        let run = try BenchmarkRun(
            ["crc32c", "decode", "breaker", "gzip", "--seconds", "0.02", "--rounds", "3"])
        #expect(run.status == .exited(0), "\(run.output)")
        let results = try #require(try run.report()["results"]?.array)
        #expect(results.map { $0["benchmark"]?.string } == ["crc32c", "decode", "breaker", "gzip"])
        for result in results {
            let sides = try #require(result["measured"]?.array)
            #expect(!sides.isEmpty)
            let figures = sides.compactMap { $0["figures"]?.array }.flatMap { $0 }
            #expect(figures.count >= sides.count)
            #expect(figures.allSatisfy { $0["rounds"]?.array?.count == 3 })
        }
    }

    @Test func `figures that do not hold are a failure`() throws {
        // A program that ends at once is no server.
        let run = try BenchmarkRun(["health", "--server", "/bin/true", "--rounds", "1"])
        #expect(run.status == .exited(1))
        let result = try #require(try run.report()["results"]?[0])
        #expect(result["failure"]?.string?.contains("does not answer") == true)
        #expect(result["measured"]?.array?.isEmpty == true)
    }

    @Test func `leaves nothing behind`() throws {
        let run = try BenchmarkRun(["journal", "--seconds", "0.02", "--rounds", "1"])
        #expect(run.status == .exited(0), "\(run.output)")
        #expect(run.leftBehind.isEmpty)
    }

    @Test(arguments: [["decoding"], ["--rounds", "0"], ["--seconds", "-1"]])
    func `refuses what it does not know`(_ arguments: [String]) throws {
        #expect(try BenchmarkRun(arguments).status == .exited(64))
    }
}

/// One run of `millrace-bench`, over.
private struct BenchmarkRun {
    let status: ProcessEnding
    let output: String
    /// Names in the folder that it was given for its data.
    let leftBehind: [String]
    private let json: [UInt8]?

    init(_ arguments: [String]) throws {
        let directory = try TemporaryDirectory()
        let data = directory.file("data")
        mkdir(data, 0o700)
        let json = directory.file("report.json")
        let process = try ChildProcess(
            [BuildFolder.program("millrace-bench")] + arguments
                + ["--directory", data, "--json", json],
            output: directory.file("output"), errors: directory.file("output"))
        guard let status = process.exit(within: .seconds(120)) else {
            throw TestError("millrace-bench \(arguments) does not end")
        }
        self.status = status
        output = FileSystem.text(directory.file("output"))
        self.json = FileSystem.read(json)
        leftBehind = FileSystem.names(in: data)
    }

    func report() throws -> JSONTree {
        guard let json else { throw TestError("no report was written: \(output)") }
        return try JSONTree.parse(json)
    }
}
