import Redis

extension RedisServer {
    /// Its address on TCP, for a user who may be named.
    package func url(
        user: String? = nil, password: String? = nil, database: Int? = nil
    ) -> RedisURL {
        RedisURL(
            endpoints: [.tcp(host: "127.0.0.1", port: port)], user: user,
            password: password.map { RedisPassword($0) }, database: database ?? self.database)
    }
}
