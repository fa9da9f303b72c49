internal import Glibc

/// 127.0.0.1 and a port, in the form that the socket calls take.
struct LoopbackAddress {
    private var address = sockaddr_in()

    init(port: UInt16) {
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    }

    mutating func withPointer(_ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Int32) -> Int32
    {
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// A port that nobody has at the moment. Another program may take it before it is used; then
    /// the server does not start, and says so.
    static func freePort() throws(BenchFailure) -> UInt16 {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(socket) }
        var address = LoopbackAddress(port: 0)
        guard address.withPointer({ bind(socket, $0, $1) }) == 0,
            address.withPointer({ pointer, size in
                var size = size
                return getsockname(socket, pointer, &size)
            }) == 0
        else { throw BenchFailure("no free port: \(String(cString: strerror(errno)))") }
        return UInt16(bigEndian: address.address.sin_port)
    }
}
