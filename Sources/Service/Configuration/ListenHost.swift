internal import Glibc

/// What can stand for `--host`.
enum ListenHost {
    /// An IPv4 or IPv6 address, or a name that a resolver could know. A port, a bracket or a
    /// scheme is none of these.
    static func isHost(_ text: String) -> Bool {
        if isIPv4(text) || isIPv6(text) { return true }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        // A name of digits and dots only is a mistyped address.
        guard text.utf8.count <= 253, !labels.allSatisfy({ $0.allSatisfy(\.isNumber) }) else {
            return false
        }
        return labels.allSatisfy { label in
            !label.isEmpty && label.utf8.count <= 63
                && label.allSatisfy {
                    $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_")
                }
        }
    }

    /// Whether only this machine reaches it: 127.0.0.0/8, ::1 or `localhost`. Another name may
    /// resolve to anything, so it does not count.
    static func isLoopback(_ host: String) -> Bool {
        if isIPv4(host) { return host.hasPrefix("127.") }
        if host.lowercased() == "localhost" { return true }
        var address = in6_addr()
        guard inet_pton(AF_INET6, host, &address) == 1 else { return false }
        return withUnsafeBytes(of: address) { bytes in
            bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
        }
    }

    /// `127.0.0.1:8080`, `[::1]:8080`.
    static func authority(_ host: String, port: Int) -> String {
        isIPv6(host) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    private static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, text, &address) == 1
    }
}
