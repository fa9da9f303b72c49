import Glibc
import Primitives
import Testing
import TestSupport

@testable import Service

@Suite(.blocking) struct ProgramTests {
    @Test func `says its version`() throws {
        let program = try Program(["--version"])
        #expect(program.exitCode() == 0)
        #expect(program.outputText == "\(Version.current)\n")
    }

    @Test func `ends with 78 and says why when the configuration is refused`() throws {
        let program = try Program(["serve", "--loops", "x"], environment: ["MILLRACE_PROT": "1"])
        #expect(program.exitCode() == 78)
        #expect(program.outputText.isEmpty)
        #expect(program.errorText.hasPrefix("millrace: the configuration is refused:\n"))
        #expect(program.errorText.contains("  - loops: `x` (flag --loops) is not"))
        #expect(program.errorText.contains("did you mean MILLRACE_PORT?"))
    }

    @Test(arguments: [["--port", "-1"], ["--port=-1"]])
    func `a negative number is a value that is out of range`(arguments: [String]) throws {
        let program = try Program(["check"] + arguments)
        #expect(program.exitCode() == 78)
        #expect(
            program.errorText.contains(
                "  - port: `-1` (flag --port) is not a whole number from 0 to 65535\n"))
    }

    @Test func `prints where Redis is, and never its password`() throws {
        let program = try Program(
            ["check", "--print-config"],
            environment: ["MILLRACE_REDIS_URL": "redis://ada:hunter2@db.example:6380/3"])
        #expect(program.exitCode() == 0)
        #expect(program.outputText.contains("redis://ada:***@db.example:6380/3"))
        #expect(!program.outputText.contains("hunter2"))
    }

    @Test func `ends with 64 when the command line is not understood`() throws {
        let program = try Program(["serve", "--prot", "1"])
        #expect(program.exitCode() == 64)
        #expect(program.errorText.contains("Did you mean '--port'?"))
    }

    @Test func `prints each value and its source as an aligned table`() throws {
        let program = try Program(
            ["check", "--print-config", "--port", "99"], environment: ["MILLRACE_READERS": "3"])
        #expect(program.exitCode() == 0)
        let lines = program.outputText.split(separator: "\n")
        #expect(lines.count == Settings.table.rows.count + 1)
        let column = try #require(lines.first?.firstRange(of: "from")?.lowerBound)
        let offset = lines[0].distance(from: lines[0].startIndex, to: column)
        for line in lines {
            let from = line.dropFirst(offset)
            #expect(["from", "default", "flag", "environment"].contains { from.hasPrefix($0) })
        }
        #expect(lines.contains { $0.hasPrefix("port ") && $0.hasSuffix("99         flag --port") })
    }

    @Test func `check fails on a data directory that cannot be used`() throws {
        let program = try Program(["check", "--data-dir", "/dev/null"])
        #expect(program.exitCode() == 1)
        #expect(program.outputText.contains("failed  data directory: /dev/null is not a directory"))
    }

    @Test func `healthcheck finds the service by its configuration`() throws {
        let server = try OneAnswer("HTTP/1.1 200 OK\r\n\r\n")
        let program = try Program(
            ["healthcheck", "--ready"],
            environment: ["MILLRACE_PORT": "\(server.port)", "MILLRACE_HOST": "0.0.0.0"])
        #expect(program.exitCode() == 0)
        #expect(program.outputText == "ok: http://127.0.0.1:\(server.port)/readyz answered 200\n")
        #expect(server.request().hasPrefix("GET /readyz "))
    }

    @Test(arguments: [["--port", "1"], ["--port", "x"], ["--url", "http://127.0.0.1:1"]])
    func `healthcheck ends with 1 whenever the service is not known to be well`(
        arguments: [String]
    ) throws {
        let program = try Program(["healthcheck"] + arguments)
        #expect(program.exitCode() == 1)
        #expect(!program.errorText.isEmpty)
    }
}
