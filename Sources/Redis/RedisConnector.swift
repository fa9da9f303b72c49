import Primitives

/// Opens connections that are ready for commands: connected, authenticated, in the right database,
/// named, and answering.
struct RedisConnector: Sendable {
    let endpoint: RedisEndpoint
    let user: String?
    let password: RedisPassword?
    let database: Int
    let clientName: String

    /// - Parameter clientName: what `CLIENT LIST` shows; what Redis does not allow becomes `_`.
    init(_ url: RedisURL, clientName: String) {
        endpoint = url.endpoints[0]
        user = url.user
        password = url.password
        database = url.database
        // CLIENT SETNAME takes printable ASCII without spaces.
        self.clientName = String(
            decoding: clientName.utf8.map { (0x21...0x7E).contains($0) ? $0 : UInt8(ascii: "_") },
            as: UTF8.self)
    }

    /// Connects and greets in one round trip. Being connected proves nothing: the kernel of a
    /// stopped Redis accepts, so a PING must be answered too.
    /// - Throws: what went wrong, with the server's own class where it answered.
    func connect(_ deadline: Deadline) throws(RedisError) -> RedisConnection {
        let connection = try RedisConnection(to: endpoint, deadline: deadline)
        var pipeline = RedisPipeline()
        if let password {
            if let user {
                pipeline.command("AUTH", user, password.value)
            } else {
                pipeline.command("AUTH", password.value)
            }
        }
        if database != 0 { pipeline.command("SELECT", String(database)) }
        pipeline.command("PING")
        // Last: a server or an access list that refuses it costs us only the name.
        pipeline.command("CLIENT", "SETNAME", clientName)
        let replies = try connection.send(pipeline, deadline: deadline)
        for (position, reply) in replies.enumerated() where position < replies.count - 1 {
            if let error = reply.error { throw error }
            let isPing = position == replies.count - 2
            guard reply.equals(isPing ? "PONG" : "OK") else {
                throw RedisError(.unexpectedReply, "the greeting was not answered as Redis does")
            }
        }
        connection.beginCall()
        return connection
    }

    /// Whether a new connection can be made and the server there takes writes.
    /// - Throws: why not.
    func check(_ deadline: Deadline) throws(RedisError) {
        let connection = try connect(deadline)
        var pipeline = RedisPipeline()
        pipeline.command("ROLE")
        let reply = try connection.send(pipeline, deadline: deadline).first
        // An access list may forbid ROLE; what cannot be known does not count against it.
        if let code = reply?.errorCode, code.isServerFailure, let error = reply?.error {
            throw error
        }
        guard let role = reply?.elements.first else { return }
        if !role.equals("master") {
            throw RedisError(.readOnly, "the server's role is \(role.string ?? "unknown")")
        }
    }
}
