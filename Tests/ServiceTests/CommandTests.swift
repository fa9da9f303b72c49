import Testing
import TestSupport

@testable import Service

@Suite(.blocking) struct CommandTests {
    @Test func `serve is what is done without a command`() throws {
        let command = try MillraceCommand.parseAsRoot(["--port", "9000", "--insecure-no-auth"])
        let serve = try #require(command as? ServeCommand)
        #expect(serve.settings.given == ["port": "9000", "insecure-no-auth": "true"])
    }

    @Test func `check takes the flags of serve`() throws {
        let command = try MillraceCommand.parseAsRoot(
            ["check", "--print-config", "--retention", "90d"])
        let check = try #require(command as? CheckCommand)
        #expect(check.printConfig)
        #expect(check.settings.given == ["retention": "90d"])
    }

    @Test(arguments: [
        ["serve", "--prot", "1"], ["serve", "--port"], ["sevre"], ["serve", "extra"],
        ["healthcheck", "--timeout", "3"], ["healthcheck", "--url", "https://x"],
    ])
    func `a command line that is not understood is a usage error`(arguments: [String]) {
        do {
            _ = try MillraceCommand.parseAsRoot(arguments)
            Issue.record("it was understood")
        } catch {
            #expect(MillraceCommand.exitCode(for: error).rawValue == 64)
        }
    }

    @Test func `help teaches with an example and says where to go next`() {
        let root = MillraceCommand.helpMessage()
        #expect(root.contains("curl localhost:8080/events"))
        #expect(root.contains("millrace serve --help"))
        let serve = MillraceCommand.helpMessage(for: ServeCommand.self)
        for title in ["NETWORK:", "STORAGE:", "LIMITS:", "LOGGING:", "PROCESS:", "/readyz"] {
            #expect(serve.contains(title))
        }
    }
}
