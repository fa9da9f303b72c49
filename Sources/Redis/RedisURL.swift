/// Where Redis is and who we are there, as `--redis-url` says it:
///
///     redis://[[user]:password@]host[:port][/database]
///     redis://[[user]:password@]host:port,host:port,…?cluster=true
///     unix://[[user]:password@]/path/to/socket[?db=1]
///
/// User, password and path may be percent-encoded (RFC 3986, section 2.1). Its description hides
/// the password.
package struct RedisURL: Hashable, Sendable, CustomStringConvertible {
    /// At least one; more only for a cluster, where each is a way in.
    package let endpoints: [RedisEndpoint]
    package let user: String?
    package let password: RedisPassword?
    package let database: Int
    package let isCluster: Bool

    package init(
        endpoints: [RedisEndpoint], user: String? = nil, password: RedisPassword? = nil,
        database: Int = 0, isCluster: Bool = false
    ) {
        precondition(!endpoints.isEmpty)
        self.endpoints = endpoints
        self.user = user
        self.password = password
        self.database = database
        self.isCluster = isCluster
    }

    package var description: String {
        let isUnix = if case .unix = endpoints[0] { true } else { false }
        var text = isUnix ? "unix://" : "redis://"
        if password != nil { text += "\(user ?? ""):***@" }
        text += endpoints.map(\.description).joined(separator: ",")
        if isUnix { return database == 0 ? text : text + "?db=\(database)" }
        if database != 0 { text += "/\(database)" }
        return isCluster ? text + "?cluster=true" : text
    }
}
