import HTTPClient
import Primitives
import TestSupport
import Testing

@Suite(.blocking) struct HTTPClientBoundsTests {
    typealias Outcomes = Monitor<[Result<HTTPReply, HTTPClientError>]>

    private func send(
        _ count: Int, to url: String, _ client: HTTPClient, into outcomes: Outcomes,
        within limit: Duration = .seconds(120)
    ) {
        for _ in 0..<count {
            client.post(url, body: Bytes("[]"), deadline: .after(limit)) { result in
                outcomes.change { $0.append(result) }
            }
        }
    }

    private func codes(_ outcomes: Outcomes, count: Int) -> [String] {
        let all = outcomes.wait(
            until: .after(.seconds(150)), for: { $0.count >= count }, then: { $0 })
        return (all ?? []).map { result in
            switch result {
            case .success(let reply): "\(reply.status)"
            case .failure(let error): error.code.rawValue
            }
        }
    }

    @Test func `many requests at once all get their answer`() throws {
        let server = try RawServer { connection in
            while connection.request() != nil { connection.reply(200) }
        }
        var options = HTTPClientOptions()
        options.inFlightLimit = 8
        options.queueLimit = 400
        let client = HTTPClient(options)
        let outcomes = Outcomes([])
        send(400, to: server.url, client, into: outcomes)
        let codes = codes(outcomes, count: 400)
        #expect(codes.count == 400)
        #expect(codes.allSatisfy { $0 == "200" })
        #expect(server.connectionCount <= 8)
    }

    @Test func `what does not fit into the queue is refused at once`() throws {
        let server = try RawServer { $0.hang() }
        var options = HTTPClientOptions()
        options.inFlightLimit = 1
        options.queueLimit = 2
        let client = HTTPClient(options)
        let outcomes = Outcomes([])
        send(1, to: server.url, client, into: outcomes)
        #expect(eventually { server.connectionCount == 1 })
        send(10, to: server.url, client, into: outcomes)
        let refused = outcomes.withLock { $0.count }
        #expect(refused == 7)
        client.close()
        let codes = codes(outcomes, count: 11)
        #expect(codes.filter { $0 == "queue_full" }.count == 7)
        #expect(codes.filter { $0 == "cancelled" }.count == 4)
    }

    @Test func `a request whose deadline passes in the queue is told so`() throws {
        let server = try RawServer { $0.hang() }
        var options = HTTPClientOptions()
        options.inFlightLimit = 1
        let client = HTTPClient(options)
        let (first, second) = (Outcomes([]), Outcomes([]))
        send(1, to: server.url, client, into: first)
        #expect(eventually { server.connectionCount == 1 })
        send(1, to: server.url, client, into: second, within: .milliseconds(100))
        #expect(codes(second, count: 1) == ["timeout"])
        #expect(first.withLock { $0.isEmpty })
    }

    @Test func `closing cancels what is under way and refuses what comes later`() throws {
        let server = try RawServer { $0.hang() }
        let client = HTTPClient()
        let outcomes = Outcomes([])
        send(3, to: server.url, client, into: outcomes)
        #expect(eventually { server.connectionCount == 3 })
        client.close()
        send(1, to: server.url, client, into: outcomes)
        #expect(codes(outcomes, count: 4) == ["cancelled", "cancelled", "cancelled", "cancelled"])
        client.close()
    }

    @Test func `a client that nobody holds any more ends its thread`() throws {
        let server = try RawServer { $0.reply(200) }
        let weak = WeakClient()
        do {
            let client = HTTPClient()
            weak.client = client
            _ = try client.post(server.url, body: Bytes("[]"), deadline: .after(.seconds(5)))
        }
        #expect(weak.client == nil)
    }

    private final class WeakClient {
        weak var client: HTTPClient?
    }
}
