internal import CMicroHTTPD
internal import Glibc
import Primitives

/// Keeps the sockets of clients that were answered before their body came, for a moment after
/// libmicrohttpd has closed its side of them.
///
/// The kernel answers bytes that nobody read with a reset, which can overtake the reply, so that a
/// client in the middle of its body would see a broken connection instead of a 401. Here the end of
/// the reply is sent, a little of what still comes is thrown away, and then the socket is closed. On
/// the loop's thread.
struct LingeringSockets {
    private struct Entry {
        let descriptor: Int32
        let since: MonotonicTime
        var discardedBytes = 0
    }

    /// More are closed at once: descriptors are worth more to other clients.
    static let limit = 64
    static let patience = Duration.seconds(1)
    /// Thrown away for each socket. Together with the 32 KiB that a connection reads of a request, a
    /// refused client makes the server read less than 64 KiB.
    static let discardLimitBytes = 24 << 10

    private var entries: [Entry] = []

    var count: Int { entries.count }

    /// Takes a duplicate of `descriptor`, which its owner is about to close.
    mutating func add(_ descriptor: Int32, at now: MonotonicTime) {
        guard entries.count < LingeringSockets.limit else { return }
        let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard own >= 0 else { return }
        shutdown(own, Int32(SHUT_WR))
        var entry = Entry(descriptor: own, since: now)
        if LingeringSockets.hasEnded(&entry) {
            close(own)
        } else {
            entries.append(entry)
        }
    }

    /// Closes those whose client has left or whose time is over.
    mutating func look(at now: MonotonicTime) {
        guard !entries.isEmpty else { return }
        entries = entries.compactMap { entry in
            var entry = entry
            guard !LingeringSockets.hasEnded(&entry),
                now.since(entry.since) < LingeringSockets.patience
            else {
                close(entry.descriptor)
                return nil
            }
            return entry
        }
    }

    mutating func closeAll() {
        for entry in entries { close(entry.descriptor) }
        entries = []
    }

    /// Throws away what has come, up to the limit.
    private static func hasEnded(_ entry: inout Entry) -> Bool {
        var scratch = [UInt8](repeating: 0, count: 4096)
        while entry.discardedBytes < discardLimitBytes {
            let count = recv(entry.descriptor, &scratch, scratch.count, Int32(MSG_DONTWAIT))
            if count < 0 { return errno != EAGAIN && errno != EINTR }
            if count == 0 { return true }
            entry.discardedBytes += count
        }
        return false
    }
}
