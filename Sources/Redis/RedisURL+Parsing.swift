extension RedisURL {
    /// - Throws: `.invalidURL` that says what is wrong and what would be right, without repeating
    ///   anything that may be a password.
    package init(parsing text: String) throws(RedisError) {
        let isUnix: Bool
        var rest: Substring
        if let after = text.after(prefix: "redis://") {
            (isUnix, rest) = (false, after)
        } else if let after = text.after(prefix: "unix://") {
            (isUnix, rest) = (true, after)
        } else if text.after(prefix: "rediss://") != nil {
            throw .url("rediss:// is not supported: put a TLS proxy such as stunnel in front")
        } else {
            throw .url("the scheme is redis:// or unix://")
        }
        if rest.contains("#") { throw .url("'#' in a password is written %23") }
        let query = try RedisURL.takeQuery(&rest)
        let (user, password) = try RedisURL.takeCredentials(&rest)
        let path = RedisURL.takePath(&rest, isUnix: isUnix)
        let database = try RedisURL.database(path: isUnix ? "" : path, query: query.database)
        let endpoints: [RedisEndpoint]
        if isUnix {
            guard rest.isEmpty, path.hasPrefix("/") else {
                throw .url("a socket is written unix:///path/to/socket")
            }
            endpoints = [.unix(path: try RedisURL.decode(path))]
        } else {
            endpoints = try RedisURL.endpoints(rest)
        }
        if endpoints.count > 1, !query.isCluster {
            throw .url("several hosts need ?cluster=true")
        }
        if query.isCluster, isUnix || database != 0 {
            throw .url("a cluster has TCP hosts and only database 0")
        }
        self.init(
            endpoints: endpoints, user: user, password: password, database: database,
            isCluster: query.isCluster)
    }

    private static func takeQuery(
        _ rest: inout Substring
    ) throws(RedisError) -> (isCluster: Bool, database: Substring?) {
        guard let mark = rest.firstIndex(of: "?") else { return (false, nil) }
        let query = rest[rest.index(after: mark)...]
        rest = rest[..<mark]
        // A password with an unescaped '?' would otherwise be read as a query.
        if query.contains("@") { throw .url("'?' in a password is written %3F") }
        var (isCluster, database) = (false, Substring?.none)
        for item in query.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            switch (parts[0], parts.count == 2 ? parts[1] : "") {
            case ("cluster", "true"): isCluster = true
            case ("cluster", "false"): isCluster = false
            case ("cluster", _): throw .url("cluster is true or false")
            case ("db", let value): database = value
            default: throw .url("the parameters are cluster and db")
            }
        }
        return (isCluster, database)
    }

    private static func takeCredentials(
        _ rest: inout Substring
    ) throws(RedisError) -> (String?, RedisPassword?) {
        guard let at = rest.lastIndex(of: "@") else { return (nil, nil) }
        let credentials = rest[..<at]
        rest = rest[rest.index(after: at)...]
        if credentials.contains("/") { throw .url("'/' in a password is written %2F") }
        if credentials.contains("@") { throw .url("'@' in a password is written %40") }
        guard let colon = credentials.firstIndex(of: ":") else {
            throw .url("credentials are user:password or :password")
        }
        let user = try decode(credentials[..<colon])
        let password = try decode(credentials[credentials.index(after: colon)...])
        guard !password.isEmpty else { throw .url("the password is empty") }
        return (user.isEmpty ? nil : user, RedisPassword(password))
    }

    /// What follows the hosts: the database, or the path of a socket.
    private static func takePath(_ rest: inout Substring, isUnix: Bool) -> Substring {
        guard let slash = rest.firstIndex(of: "/") else { return "" }
        defer { rest = rest[..<slash] }
        return isUnix ? rest[slash...] : rest[rest.index(after: slash)...]
    }

    private static func database(path: Substring, query: Substring?) throws(RedisError) -> Int {
        if !path.isEmpty, query != nil { throw .url("the database is given twice") }
        let text = query ?? path
        if text.isEmpty { return 0 }
        guard let number = Int(text), (0..<1 << 20).contains(number), text.first != "+" else {
            throw .url("the database is a number from 0")
        }
        return number
    }

    private static func endpoints(_ hosts: Substring) throws(RedisError) -> [RedisEndpoint] {
        var endpoints: [RedisEndpoint] = []
        for host in hosts.split(separator: ",", omittingEmptySubsequences: false) {
            endpoints.append(try endpoint(host))
        }
        return endpoints
    }

    private static func endpoint(_ text: Substring) throws(RedisError) -> RedisEndpoint {
        var host = text
        var port: Substring = ""
        if text.first == "[" {  // IPv6 (RFC 3986, section 3.2.2).
            guard let close = text.firstIndex(of: "]") else { throw .url("'[' without ']'") }
            host = text[text.index(after: text.startIndex)..<close]
            let tail = text[text.index(after: close)...]
            guard tail.isEmpty || tail.first == ":" else { throw .url("after ']' comes :port") }
            port = tail.dropFirst()
            if !tail.isEmpty, port.isEmpty { throw .url("a port is 1 to 65535") }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            if port.isEmpty { throw .url("a port is 1 to 65535") }
        }
        guard !host.isEmpty else { throw .url("a host is missing") }
        guard !host.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
            throw .url("a host holds no spaces")
        }
        if port.isEmpty { return .tcp(host: String(host), port: 6379) }
        guard let number = UInt16(port), number > 0, port.first != "+" else {
            throw .url("a port is 1 to 65535")
        }
        return .tcp(host: String(host), port: number)
    }

    /// Percent-decoding (RFC 3986, section 2.1).
    private static func decode(_ text: Substring) throws(RedisError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexValue),
                let low = rest.popFirst().flatMap(hexValue)
            else { throw .url("'%' is followed by two hexadecimal digits") }
            bytes.append(high << 4 | low)
        }
        // A NUL would end the string early on its way through C.
        guard !bytes.contains(0), let decoded = String(validating: bytes, as: UTF8.self) else {
            throw .url("percent-encoded bytes are UTF-8 without NUL")
        }
        return decoded
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension RedisError {
    fileprivate static func url(_ message: String) -> RedisError {
        RedisError(.invalidURL, message)
    }
}

extension String {
    fileprivate func after(prefix: String) -> Substring? {
        hasPrefix(prefix) ? dropFirst(prefix.count) : nil
    }
}
