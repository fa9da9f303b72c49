internal import Glibc

/// Sockets on this machine, for servers and clients of tests and benchmarks.
package enum Loopback {
    /// A listening socket.
    /// - Parameter port: one that this process had before; 0 takes any free one.
    package static func listen(
        on port: UInt16 = 0
    ) throws(SystemFailure) -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemFailure("socket", errno: errno) }
        // Connections of its predecessor may linger there.
        var reuses: Int32 = port == 0 ? 0 : 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuses, 4)
        var address = address(port: port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        guard bound == 0, Glibc.listen(descriptor, 64) == 0 else {
            let code = errno
            close(descriptor)
            throw SystemFailure("bind", errno: code)
        }
        var actualSize = size
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &actualSize)
            }
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// A connected socket, which the caller closes.
    /// - Parameter receiveBytes: its receive buffer; the system's own choice if nil.
    /// - Throws: if nobody listens.
    package static func connect(
        to port: UInt16, receiveBytes: Int32? = nil
    ) throws(SystemFailure) -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemFailure("socket", errno: errno) }
        if var receiveBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBytes, 4)
        }
        var address = address(port: port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw SystemFailure("connect to port \(port)", errno: code)
        }
        setNoDelay(descriptor)
        return descriptor
    }

    /// A connected socket, which the caller closes, to the Unix domain socket of this path.
    /// - Throws: if nobody listens, or the path is longer than the system lets it be.
    package static func connect(toSocketAt path: String) throws(SystemFailure) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = path.utf8CString
        guard bytes.count <= MemoryLayout.size(ofValue: address.sun_path) else {
            throw SystemFailure("connect to \(path)", errno: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { space in
            bytes.withUnsafeBytes { space.copyMemory(from: $0) }
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemFailure("socket", errno: errno) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, size)
            }
        }
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw SystemFailure("connect to \(path)", errno: code)
        }
        return descriptor
    }

    /// A port that was free a moment ago. Another program may take it before it is used.
    package static func freePort() throws(SystemFailure) -> UInt16 {
        let listener = try listen()
        close(listener.descriptor)
        return listener.port
    }

    package static func setNoDelay(_ descriptor: Int32) {
        var on: Int32 = 1
        setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on,
            socklen_t(MemoryLayout<Int32>.size))
    }

    /// Makes the coming close a reset: what a process that crashed leaves behind.
    package static func resetOnClose(_ descriptor: Int32) {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &linger,
            socklen_t(MemoryLayout.size(ofValue: linger)))
    }

    private static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
