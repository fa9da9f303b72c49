internal import Glibc
import Primitives
import TestSupport

/// What the tests ask of a Redis and do to it.
extension RedisServer {
    // MARK: Coming and going

    /// Lets it write what it has and end.
    func save() throws {
        try command("SHUTDOWN", "SAVE")
        guard ending(within: .seconds(20) * slowness) != nil else {
            throw TestError("redis-server does not end")
        }
    }

    /// Lets writing the snapshot fail, so that Redis takes no writes: a folder is in its way.
    func breakSaving() throws {
        guard mkdir(directory.file("dump.rdb"), 0o700) == 0 else {
            throw TestError("mkdir: errno \(errno)")
        }
        try command("CONFIG", "SET", "save", "3600 1000000")
        try save(until: "err")
    }

    func mendSaving() throws {
        rmdir(directory.file("dump.rdb"))
        try save(until: "ok")
    }

    private func save(until word: String) throws {
        try command("BGSAVE")
        let isSo = eventually(within: .seconds(20)) {
            let lines = try? command("INFO", "persistence")
            return lines?.contains("rdb_last_bgsave_status:\(word)\r") == true
                && lines?.contains("rdb_bgsave_in_progress:0\r") == true
        }
        guard isSo else { throw TestError("the snapshot is not \(word)") }
    }

    // MARK: Asking

    /// What `redis-cli` answers; one line for each element of a reply.
    @discardableResult
    func command(_ words: String...) throws -> [String] {
        try RedisServer.run(
            ["redis-cli", "-p", "\(port)", "-n", "\(database)"] + words, in: directory)
    }

    /// The keys of this many partitions.
    static func keys(_ partitions: Int = 4) -> [String] {
        (0..<partitions).map { "millrace:{\($0)}:events" }
    }

    /// Makes a group that nobody reads with, so that nothing is trimmed away.
    func addGroup(_ group: String) throws {
        for key in RedisServer.keys() {
            try command("XGROUP", "CREATE", key, group, "0", "MKSTREAM")
        }
    }

    /// The values of a field of every entry, of all partitions.
    func values(of field: String) throws -> [String] {
        try RedisServer.keys().flatMap { key in
            RedisServer.values(of: field, in: try command("XRANGE", key, "-", "+"))
        }
    }

    /// Whether a group has been given everything and has acknowledged it.
    func isDone(group: String) throws -> Bool {
        try RedisServer.keys().allSatisfy { key in
            let lines = try command("XINFO", "GROUPS", key)
            guard let name = lines.firstIndex(of: group) else { return false }
            let own = lines[name...]
            func value(_ field: String) -> String? {
                own.firstIndex(of: field).map { own[$0 + 1] }
            }
            return value("pending") == "0" && value("lag") == "0"
        }
    }

    /// Reads on as a foreign group and acknowledges, until nothing new comes.
    /// - Returns: what `EventLoad` knows each entry's event by.
    func readAll(group: String) throws -> [String] {
        var marks: [String] = []
        for key in RedisServer.keys() {
            while true {
                let lines = try command(
                    "XREADGROUP", "GROUP", group, "reader", "COUNT", "5000", "NOACK", "STREAMS",
                    key, ">")
                let events = RedisServer.values(of: "event", in: lines)
                if events.isEmpty { break }
                marks += try events.map { try JSONTree.parse($0).mark }
            }
        }
        return marks
    }

    private static func values(of field: String, in lines: [String]) -> [String] {
        lines.indices.filter { lines[$0] == field && $0 + 1 < lines.count }.map { lines[$0 + 1] }
    }

    private static func run(
        _ command: [String], in directory: TemporaryDirectory
    ) throws -> [String] {
        let output = directory.file("out-\(UInt64.random(in: 0...UInt64.max))")
        let child = try ChildProcess(command, output: output, errors: output)
        guard child.exit(within: .seconds(30)) != nil else {
            throw TestError("\(command.joined(separator: " ")) does not end")
        }
        defer { unlink(output) }
        // Redis itself ends lines with CR LF in one reply, which Swift would take for one character.
        return (FileSystem.read(output) ?? []).split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
        ).map { String(decoding: $0, as: UTF8.self) }
    }
}
