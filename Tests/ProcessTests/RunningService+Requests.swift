import TestSupport

/// Talking to a service.
extension RunningService {
    func connect(timeout: Duration = .seconds(30) * slowness) throws -> ClientConnection {
        try ClientConnection(port: port, timeout: timeout)
    }

    /// One request on a connection of its own.
    func request(
        _ method: String, _ target: String, headers: [String: String] = [:], body: [UInt8]? = nil
    ) throws -> ClientReply {
        let connection = try connect()
        var headers = self.headers.withLock { $0 }.merging(headers) { $1 }
        headers["Connection"] = "close"
        try connection.send(method, target, headers: headers, body: body)
        return try connection.receive(toHead: method == "HEAD")
    }

    func get(_ target: String, headers: [String: String] = [:]) throws -> ClientReply {
        try request("GET", target, headers: headers)
    }

    func post(
        _ target: String, _ body: [UInt8], type: String, headers: [String: String] = [:]
    ) throws -> ClientReply {
        var headers = headers
        headers["Content-Type"] = type
        return try request("POST", target, headers: headers, body: body)
    }

    func post(_ target: String, json: String) throws -> ClientReply {
        try post(target, Array(json.utf8), type: "application/json")
    }

    /// One event a line: `application/x-ndjson`.
    func post(_ target: String, lines: some Sequence<String>) throws -> ClientReply {
        try post(
            target, Array(lines.joined(separator: "\n").utf8), type: "application/x-ndjson")
    }

    /// What an operator sends to set a breaker by hand.
    func putBreaker(
        _ name: String, _ body: String, type: String = "application/json"
    ) throws -> ClientReply {
        try request(
            "PUT", "/admin/breakers/\(name)", headers: ["Content-Type": type],
            body: Array(body.utf8))
    }
}
