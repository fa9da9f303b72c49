internal import CMicroHTTPD
internal import Glibc
import Primitives

// What the loop does now and then: it cuts off who is too slow, looks after streams, and notices
// clients that left while libmicrohttpd did not look at their sockets.

extension EventLoop {
    /// How often deadlines are looked at. While draining, connections become idle one by one.
    var reapInterval: Duration { isStopping ? .milliseconds(20) : .milliseconds(250) }

    func reap() {
        lastReap = now
        for connection in connections.values where !connection.isCut { judge(connection) }
        if isStopping { cutIdle() }
        noticeLeavers()
        lingering.look(at: now)
        repeats.dropOld(at: now)
    }

    private func judge(_ connection: HTTPConnection) {
        let elapsed = now.since(connection.since)
        switch connection.phase {
        case .idle:
            let isFirst = connection.request.target.isEmpty
            if elapsed > (isFirst ? options.headerTimeout : options.idleTimeout) {
                connection.cut()
            } else if elapsed > reapInterval {
                connection.rest()
            }
        case .header: if elapsed > options.headerTimeout { connection.refuseLate() }
        case .body: if isTooSlow(connection.bodyBytes, elapsed) { connection.refuseLate() }
        case .replying: if elapsed > options.replyTimeout { connection.cut() }
        case .streaming:
            if elapsed > options.heartbeatInterval { connection.heartbeat() }
            // Suspended, it has nothing to send; otherwise its client does not take what there is.
            let isStuck = now.since(connection.moved) > options.replyTimeout
            if isStuck, !connection.isSuspended { connection.cut() }
        case .waiting: break
        }
    }

    private func isTooSlow(_ bytes: Int, _ elapsed: Duration) -> Bool {
        let seconds = (elapsed - options.bodyGrace).inSeconds
        return seconds > 0 && Double(bytes) < seconds * Double(options.bodyMinimumBytesPerSecond)
    }

    /// One system call for all connections that are suspended, rest between two requests, or wait
    /// for the rest of one.
    ///
    /// The latter two, because libmicrohttpd takes a short read for the end of what there is, and so
    /// misses that a client closed its side right behind what it sent last.
    private func noticeLeavers() {
        let resting = connections.values.filter { $0.isSuspended || isResting($0) }
            .filter { !$0.isCut }
        guard !resting.isEmpty else { return }
        var descriptors = resting.map {
            pollfd(fd: $0.socket, events: millrace_peer_finished, revents: 0)
        }
        guard poll(&descriptors, nfds_t(descriptors.count), 0) > 0 else { return }
        for (connection, found) in zip(resting, descriptors) where found.revents != 0 {
            if Int32(found.revents) & (POLLERR | POLLHUP | POLLNVAL) != 0 {
                connection.cut()
            } else if connection.isSuspended {
                connection.clientFinished()
            } else if !hasUnread(connection) {
                connection.phase == .body ? connection.bodyBrokeOff() : connection.cut()
            }
        }
    }

    private func isResting(_ connection: HTTPConnection) -> Bool {
        switch connection.phase {
        case .idle, .header, .body: now.since(connection.since) > .milliseconds(100)
        case .waiting, .replying, .streaming: false
        }
    }

    private func hasUnread(_ connection: HTTPConnection) -> Bool {
        var byte: UInt8 = 0
        return recv(connection.socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) > 0
    }

    // MARK: Draining

    func beginDrain() {
        for connection in connections.values { connection.finishStream() }
        cutIdle()
    }

    /// Ends connections that wait for a request, but not where one lies unread.
    private func cutIdle() {
        for connection in connections.values where connection.phase == .idle && !connection.isCut {
            if !hasUnread(connection) { connection.cut() }
        }
    }
}
