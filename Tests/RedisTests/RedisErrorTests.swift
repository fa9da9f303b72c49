import Testing

@testable import Redis

struct RedisErrorTests {
    private func error(_ message: String) -> RedisError {
        Array(message.utf8).withUnsafeBytes { RedisError(serverMessage: $0) }
    }

    @Test(arguments: [
        ("LOADING Redis is loading the dataset in memory", RedisError.Code.loading, true),
        ("READONLY You can't write against a read only replica.", .readOnly, true),
        ("MASTERDOWN Link with MASTER is down", .masterDown, true),
        ("CLUSTERDOWN The cluster is down", .clusterDown, true),
        ("MISCONF Redis is configured to save RDB snapshots", .misconfigured, true),
        ("NOAUTH Authentication required.", .noAuth, true),
        ("OOM command not allowed when used memory > 'maxmemory'.", .outOfMemory, true),
        ("WRONGPASS invalid username-password pair", .wrongPassword, false),
        ("NOPERM this user has no permissions", .noPermission, false),
        ("MOVED 3999 127.0.0.1:6381", .moved, false), ("ASK 3999 127.0.0.1:6381", .ask, false),
        ("TRYAGAIN Multiple keys request during rehashing", .tryAgain, false),
        ("NOGROUP No such key 'x' or consumer group", .noGroup, false),
        ("BUSYGROUP Consumer Group name already exists", .busyGroup, false),
        ("WRONGTYPE Operation against a key", .wrongType, false),
        ("NOSCRIPT No matching script", .noScript, false),
        ("BUSYKEY Target key name already exists.", .busyKey, false),
        ("BUSY Redis is busy running a script.", .busyScript, true),
        ("ERR syntax error", .otherServer, false), ("", .otherServer, false),
        ("LOADINGX", .otherServer, false), ("OOM", .outOfMemory, true),
    ])
    func `knows a server's error by its first word`(
        message: String, code: RedisError.Code, isFailure: Bool
    ) {
        #expect(error(message).code == code)
        #expect(error(message).message == message)
        #expect(code.isServerFailure == isFailure)
        #expect(!code.endsConnection)
    }

    @Test func `does not repeat a command's arguments, control characters or a long text`() {
        let echo = error("ERR unknown command 'ADDX', with args beginning with: 'a@b.example' ")
        #expect(echo.message == "ERR unknown command 'ADDX'")
        #expect(error("ERR a\r\n\u{1B}[2J").message == "ERR a???[2J")
        #expect(error("ERR " + String(repeating: "x", count: 5000)).message.utf8.count == 200)
    }
}
