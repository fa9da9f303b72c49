import TestSupport

/// A key whose text and hash are known, so that both can be looked for where they must not be.
struct PlantedKey: Sendable {
    let name: String
    /// `sha256sum` of the text.
    let hash: String
    /// Fields of the keys file.
    let fields: [String]

    /// As long as a real one.
    var text: String {
        String(("mr_planted-\(name)-" + String(repeating: "5e1f", count: 20)).prefix(46))
    }
    var header: [String: String] { ["Authorization": "Bearer \(text)"] }

    static let eventsWrite = PlantedKey(
        "eventswrite", "3fa992d639b6159cd05318482801ccb7ad573df3a2f0902e6f1d6b612c992bc7",
        scope: "events:write")
    static let eventsRead = PlantedKey(
        "eventsread", "8291ab6c1a56bafd0073fc058e4afac0cb4e7193f4f5d755032ea2e49582d247",
        scope: "events:read")
    static let query = PlantedKey(
        "query", "f936298f3207dc3770f30dc9422a4212c95ef1b43cce8060623f5d1e6668ffe8",
        scope: "query")
    static let sql = PlantedKey(
        "sql", "4794eb5fd3944e309a3b81120a93afb82341918dd2214e701746f839b6b01faf",
        scope: "query:sql")
    static let logsWrite = PlantedKey(
        "logswrite", "20aaf3a30e7579afa6c639b5516c4a7b9221701fabee1756d745bc1ea5f8075e",
        scope: "logs:write")
    static let logsRead = PlantedKey(
        "logsread", "b795617a27d7186baab133d9caa0a7c7599cbc55411d3677a36eaece12cda196",
        scope: "logs:read")
    static let admin = PlantedKey(
        "admin", "0289f505e73b3876ff552c9984b6e630ec1ee3bca38761477f1c4d52c1a48b92",
        scope: "admin")
    static let everything = PlantedKey(
        "everything", "3ac9304531243db3cb48f90304ae8e684d76a40c80a83f451b2b997c5e6084c4",
        scope: "events:write, events:read, query, query:sql, logs:write, logs:read, admin")
    /// With every scope, and expired.
    static let expired = PlantedKey(
        "expired", "56efc79e19138d9363282b30d736ea92796c4bf1aed9e65cc12b2d10bf4aff76",
        scope: "events:write, events:read, query, query:sql, logs:write, logs:read, admin",
        "expires: 2026-01-02T00:00:00Z")
    /// Bound to the beginnings of types.
    static let bound = PlantedKey(
        "bound", "533ef47317e495c39c2c66b51b87065477c2518131f6e11ac491670c7c462c37",
        scope: "events:write, events:read, query", "types: [\"web.*\"]")
    /// Bound to one type.
    static let exact = PlantedKey(
        "exact", "68d3e12713b645fb2cafcfd92c15f0849bd14d54b4ad16b8d0957c2aa5965778",
        scope: "events:read, query", "types: [web.a]")

    /// One for each scope.
    static let scoped = [eventsWrite, eventsRead, query, sql, logsWrite, logsRead, admin]
    static let all = scoped + [expired, bound, exact]

    init(_ name: String, _ hash: String, scope: String, _ more: String...) {
        self.init(name, hash, fields: ["scopes: [\(scope)]"] + more)
    }

    init(_ name: String, _ hash: String, fields: [String]) {
        self.name = name
        self.hash = hash
        self.fields = fields
    }

    /// Its element of a keys file.
    var yaml: String {
        let lines = ["sha256: \(hash)", "created: 2026-01-01T00:00:00Z"] + fields
        return "- name: \(name)\n" + lines.map { "  \($0)\n" }.joined()
    }
}

/// A service with a keys file.
struct KeyedService {
    let service: RunningService
    private let folder: TemporaryDirectory

    var keysFile: String { folder.file("keys.yaml") }

    init(_ keys: [PlantedKey] = PlantedKey.all, _ arguments: [String] = []) throws {
        folder = try TemporaryDirectory()
        try folder.write("keys.yaml", keys.map(\.yaml).joined())
        service = try RunningService.start(["--keys-file", folder.file("keys.yaml")] + arguments)
    }

    func write(_ text: String) throws { try folder.write("keys.yaml", text) }

    func get(_ target: String, _ key: PlantedKey) throws -> ClientReply {
        try service.get(target, headers: key.header)
    }

    func post(
        _ target: String, json: String, _ key: PlantedKey
    ) throws -> ClientReply {
        try service.post(target, Array(json.utf8), type: "application/json", headers: key.header)
    }

    /// `/status`, as the operator sees it.
    func status() throws -> JSONTree { try get("/status", .admin).json() }
}
