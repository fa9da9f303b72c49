internal import Glibc
import Primitives

/// Stands between a client and a Redis and misbehaves as told. A thread for each connection.
package final class FaultProxy: Sendable {
    package enum Fault: Sendable {
        case none
        /// Each piece of an answer comes so much later.
        case delay(Duration)
        /// Answers come a byte at a time, with a pause before each.
        case trickle(Duration)
        /// The connection is reset when a command comes.
        case reset
        /// The sending side is closed when a command comes; reading goes on.
        case halfClose
        /// Commands are answered with these bytes.
        case garbage(String)
        /// Commands are read and never answered.
        case swallow
        /// The connection is closed after so many bytes of an answer.
        case cut(Int)
        /// So is it where a piece of an answer has more bytes; smaller ones pass.
        case cutLarge(Int)
        /// Commands by this name are answered with these RESP bytes, and the others as a healthy
        /// and empty Redis would.
        case script([String: String])
    }

    package let port: UInt16
    private let upstreamPort: UInt16
    private let listener: Int32
    private let fault = Locked(Fault.none)
    private let isClosed = Locked(false)
    private let acceptor = Locked<Thread?>(nil)
    private let connections = Locked<[Thread]>([])

    package init(to upstreamPort: UInt16, _ fault: Fault = .none) throws {
        self.upstreamPort = upstreamPort
        (listener, port) = try Loopback.listen()
        set(fault)
        let thread = Thread(name: "proxy") { [weak self, listener] in
            while true {
                var ready = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
                let result = poll(&ready, 1, 10)
                guard let self, !self.isClosed.withLock({ $0 }) else { return }
                if result > 0 { self.accept() }
            }
        }
        acceptor.withLock { $0 = thread }
    }

    /// What happens from now on, on connections that are open too.
    package func set(_ fault: Fault) { self.fault.withLock { $0 = fault } }

    /// Ends all connections and threads.
    package func stop() {
        isClosed.withLock { $0 = true }
        acceptor.withLock { $0 }?.join()
        for thread in connections.withLock({ $0 }) { thread.join() }
        Glibc.close(listener)
    }

    private func accept() {
        let client = Glibc.accept(listener, nil, nil)
        guard client >= 0 else { return }
        Loopback.setNoDelay(client)
        let thread = Thread(name: "proxied") { [self] in
            FaultProxyConnection(
                client: client, upstream: try? Loopback.connect(to: upstreamPort),
                fault: fault, isClosed: isClosed
            ).run()
        }
        connections.withLock { $0.append(thread) }
    }
}

/// One proxied connection, on its own thread.
private final class FaultProxyConnection {
    private let client: Int32
    private let upstream: Int32?
    private let fault: Locked<FaultProxy.Fault>
    private let isClosed: Locked<Bool>
    private var isOpen = true
    private var request: [UInt8] = []

    init(
        client: Int32, upstream: Int32?, fault: Locked<FaultProxy.Fault>, isClosed: Locked<Bool>
    ) {
        self.client = client
        self.upstream = upstream
        self.fault = fault
        self.isClosed = isClosed
    }

    func run() {
        while isOpen, !isClosed.withLock({ $0 }) {
            var ready = [
                pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                pollfd(fd: upstream ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&ready, 2, 10) > 0 else { continue }
            if ready[0].revents != 0 { fromClient() }
            if isOpen, ready[1].revents != 0 { fromUpstream() }
        }
        close(client)
        if let upstream { close(upstream) }
    }

    private func fromClient() {
        guard let bytes = read(client) else { return isOpen = false }
        switch fault.withLock({ $0 }) {
        case .none, .delay, .trickle, .cut, .cutLarge:
            guard let upstream else { return isOpen = false }
            write(bytes[...], to: upstream)
        case .swallow: break
        case .halfClose: shutdown(client, Int32(SHUT_WR))
        case .garbage(let text): write(Array(text.utf8)[...], to: client)
        case .script(let replies): answer(bytes, replies)
        case .reset:
            Loopback.resetOnClose(client)
            isOpen = false
        }
    }

    private func fromUpstream() {
        guard let upstream, let bytes = read(upstream) else { return isOpen = false }
        switch fault.withLock({ $0 }) {
        case .delay(let time):
            sleep(until: .after(time))
            write(bytes[...], to: client)
        case .trickle(let pause):
            // By the clock, so that a machine that is busy makes up for what it was late.
            var next = MonotonicTime.now()
            for index in bytes.indices where isOpen && !isClosed.withLock({ $0 }) {
                next = next + pause
                sleep(until: Deadline(next))
                write(bytes[index...index], to: client)
            }
        case .cut(let count):
            write(bytes.prefix(count), to: client)
            isOpen = false
        case .cutLarge(let limit):
            write(bytes.prefix(limit), to: client)
            isOpen = bytes.count <= limit
        default: write(bytes[...], to: client)
        }
    }

    /// Answers the commands that are whole.
    private func answer(_ bytes: [UInt8], _ replies: [String: String]) {
        request += bytes
        while let name = takeCommand() {
            let healthy =
                switch name {
                case "PING": "+PONG\r\n"
                case "ROLE": "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
                default: "+OK\r\n"
                }
            write(Array((replies[name] ?? healthy).utf8)[...], to: client)
        }
    }

    /// Takes one command off the request; our own client writes nothing but arrays of strings.
    private func takeCommand() -> String? {
        var rest = request[...]
        guard let count = takeNumber(&rest) else { return nil }
        var name: String?
        for _ in 0..<count {
            guard let length = takeNumber(&rest), rest.count >= length + 2 else { return nil }
            name = name ?? String(decoding: rest.prefix(length), as: UTF8.self)
            rest = rest.dropFirst(length + 2)
        }
        request = Array(rest)
        return name
    }

    private func takeNumber(_ rest: inout ArraySlice<UInt8>) -> Int? {
        guard let end = rest.firstIndex(of: 0x0A) else { return nil }
        let digits = rest[..<end].dropFirst().dropLast()
        rest = rest[(end + 1)...]
        return Int(String(decoding: digits, as: UTF8.self))
    }

    private func read(_ descriptor: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count > 0 ? Array(bytes[..<count]) : nil
    }

    private func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return isOpen = false }
            rest = rest.dropFirst(count)
        }
    }
}
