internal import CMicroHTTPD
internal import Glibc

/// Why the address cannot be listened on.
package struct ListenError: Error, CustomStringConvertible, Sendable {
    package let description: String
    /// The `errno` behind it; 0 when there was none.
    package let cause: Int32

    init(_ description: String, cause: Int32 = 0) {
        self.description = description
        self.cause = cause
    }
}

/// Opens the socket that clients connect to.
enum ListenSocket {
    /// As the kernel takes it; it cuts this to net.core.somaxconn.
    static let backlog: Int32 = 4096

    /// The corresponding C functions are `getaddrinfo`, `socket`, `bind` and `listen`.
    static func open(host: String, port: UInt16) throws(ListenError) -> (Int32, port: UInt16) {
        let descriptor = try bound(host: host, port: port)
        guard listen(descriptor, backlog) == 0 else {
            let error = failure("listen on", host, port)
            close(descriptor)
            throw error
        }
        return (descriptor, boundPort(descriptor))
    }

    /// A socket with the address, which takes no connections yet. The caller closes it.
    fileprivate static func bound(host: String, port: UInt16) throws(ListenError) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = 1  // SOCK_STREAM, whose Swift type depends on the C library.
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let found = getaddrinfo(host, "\(port)", &hints, &list)
        guard found == 0, let address = list else {
            throw ListenError(
                "\(host) is no address here: \(String(cString: gai_strerror(found)))")
        }
        defer { freeaddrinfo(list) }
        let descriptor = millrace_listen_socket(address.pointee.ai_family)
        guard descriptor >= 0 else { throw failure("socket", host, port) }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(4))
        guard bind(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 else {
            let error = failure("listen on", host, port)
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func boundPort(_ descriptor: Int32) -> UInt16 {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &size)
            }
            // The port lies at the same place in sockaddr_in and sockaddr_in6.
            return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                UInt16(bigEndian: $0.pointee.sin_port)
            }
        }
    }

    private static func failure(_ call: String, _ host: String, _ port: UInt16) -> ListenError {
        let cause = errno
        return ListenError(
            "cannot \(call) \(host):\(port): \(String(cString: strerror(cause)))", cause: cause)
    }
}

/// Where a server is to listen.
package enum ListenAddress {
    /// Takes the address for a moment, without listening.
    /// - Throws: why a server could not have it.
    package static func check(host: String, port: UInt16) throws(ListenError) {
        close(try ListenSocket.bound(host: host, port: port))
    }
}
