import OTLPMessages
import Primitives

/// A collector that remembers the log records it took and answers as a test tells it to.
package final class OTLPReceiver: Sendable {
    /// What to do with a request.
    package enum Answer: Sendable {
        case status(Int, headers: [String] = [])
        /// 200, with so many records left out.
        case partial(Int64)
        /// Take the request and never answer.
        case hang
        /// Take the request and reset the connection.
        case reset
    }

    /// A record that was taken.
    package struct Taken: Sendable, Equatable {
        package let body: String
        package let severity: UInt8
        package let time: UInt64
        package let attributes: String
        package let resource: String
        package let service: String
        package let traceID: Key128?
        package let spanID: UInt64?
        package let eventName: String
    }

    package typealias Rule = @Sendable (_ bodies: [String], _ number: Int) -> Answer

    private struct State {
        var rule: Rule
        var taken: [Taken] = []
        var heads: [String] = []
        var unreadable = 0
    }

    private let state: Locked<State>
    private let server: RawServer

    /// - Parameters:
    ///   - port: that of a predecessor, which is closed; 0 takes any free one.
    ///   - rule: judges a request by the bodies of its records and its number, from 0.
    package init(
        port: UInt16 = 0, _ rule: @escaping Rule = { _, _ in .status(200) }
    ) throws {
        let state = Locked(State(rule: rule))
        self.state = state
        server = try RawServer(port: port) { OTLPReceiver.serve($0, state) }
    }

    package var port: UInt16 { server.port }
    package var endpoint: String { server.url }
    package var url: String { server.url + "v1/logs" }

    /// From now on another rule holds.
    package func obey(_ rule: @escaping Rule) { state.withLock { $0.rule = rule } }

    /// Records that were answered with a 2xx, in the order of their arrival.
    package var taken: [Taken] { state.withLock { $0.taken } }
    /// Request lines and headers of all requests, in their order.
    package var heads: [String] { state.withLock { $0.heads } }
    /// Requests whose body was no message.
    package var unreadable: Int { state.withLock { $0.unreadable } }

    package func close() { server.close() }

    private static func serve(_ connection: RawConnection, _ state: Locked<State>) {
        while let request = connection.request() {
            let records = records(of: request)
            let (rule, number) = state.withLock { state in
                state.heads.append(request.head)
                if records == nil { state.unreadable += 1 }
                return (state.rule, state.heads.count - 1)
            }
            let bodies = (records ?? []).map(\.body)
            switch rule(bodies, number) {
            case .status(let status, let headers):
                // Noted first: a test that sees the sender's count must see the records too.
                if status / 100 == 2 { state.withLock { $0.taken += records ?? [] } }
                connection.reply(status, headers: headers)
            case .partial(let rejected):
                state.withLock { $0.taken += (records ?? []).dropLast(Int(rejected)) }
                let partial = OTLPPartialSuccess(rejected: rejected, message: "not these")
                connection.reply(200, body: OTLPPartialSuccess.reply(partial, .protobuf).text)
            case .hang: return connection.hang()
            case .reset: return connection.resetOnClose()
            }
        }
    }

    private static func records(of request: RawConnection.Request) -> [Taken]? {
        var plain = ByteBuffer(capacity: request.body.count)
        if request.header("Content-Encoding") == "gzip" {
            let packed = Bytes(request.body)
            let limits = Inflate.Limits(outputBytes: 64 << 20, ratio: 2000)
            let isWhole: Void? = withExtendedLifetime(packed) {
                try? Inflate.inflate(packed.span, .gzip, limits: limits, into: &plain)
            }
            if isWhole == nil { return nil }
        } else {
            plain.append(contentsOf: request.body)
        }
        var reader = OTLPLogsReader()
        var records: [Taken] = []
        do {
            _ = try reader.read(plain.span) { records.append(Taken($0)) }
        } catch {
            return nil
        }
        return records
    }
}

extension OTLPReceiver.Taken {
    fileprivate init(_ record: OTLPLogRecord) {
        func text(_ bytes: UnsafeRawBufferPointer) -> String {
            String(decoding: bytes, as: UTF8.self)
        }
        self.init(
            body: text(record.body), severity: record.severity, time: record.time,
            attributes: text(record.attributes), resource: text(record.resource),
            service: text(record.service), traceID: record.traceID, spanID: record.spanID,
            eventName: text(record.eventName))
    }
}
