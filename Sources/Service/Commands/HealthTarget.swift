import Primitives

/// Where a health check asks.
struct HealthTarget: Equatable, Sendable {
    let host: String
    let port: Int
    /// Nil: the usual path.
    var path: String?

    /// The service on this machine. One that listens on every address is asked on the loopback
    /// address, because `0.0.0.0` is none that can be connected to everywhere.
    init(listening host: String, port: Int) {
        self.host = ["0.0.0.0": "127.0.0.1", "::": "::1"][host] ?? host
        self.port = port
    }

    /// `http://host:port`, or that and a path; nil for anything else.
    init?(url: String) {
        guard url.hasPrefix("http://") else { return nil }
        let rest = url.dropFirst("http://".count)
        let authority = rest.prefix { $0 != "/" }
        let path = String(rest.dropFirst(authority.count))
        let digits = authority.reversed().prefix { $0.isASCII && $0.isNumber }.reversed()
        var host = authority
        if digits.count < authority.count, authority.dropLast(digits.count).last == ":" {
            guard let port = Int(String(digits)), (1...65_535).contains(port) else { return nil }
            self.port = port
            host = authority.dropLast(digits.count + 1)
        } else {
            port = 80
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard ListenHost.isHost(String(host)), !path.contains(where: { $0 == " " || $0.isNewline })
        else { return nil }
        self.host = String(host)
        self.path = path.isEmpty || path == "/" ? nil : path
    }

    var authority: String { ListenHost.authority(host, port: port) }
}
