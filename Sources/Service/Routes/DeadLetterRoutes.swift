import HTTPServer
import Primitives
import Sinks
import Storage

/// `GET /events/dead-letters`, what receivers of sinks refused for good, and
/// `POST /events/dead-letters/replay`, which delivers it again.
struct DeadLetterRoutes: Sendable {
    private static let defaultLimit = 100

    let store: EventStore
    let sinks: Sinks
    let readers: WorkerRoute
    let replays: WorkerRoute

    func register(on router: inout Router) {
        router.on(
            .get, "/events/dead-letters", access: .admin, bodyLimit: .none,
            readers.handler { (request) throws(Problem) in try list(request) })
        router.on(
            .post, "/events/dead-letters/replay", access: .admin, bodyLimit: .none,
            replays.handler { (request) throws(Problem) in try replay(request) })
    }

    // MARK: GET /events/dead-letters

    private func list(_ request: Request) throws(Problem) -> WorkerRoute.Job {
        var limit = DeadLetterRoutes.defaultLimit
        var before: Int64?
        var sink: String?
        for parameter in try request.checkedParameters(["sink", "limit", "cursor"]) {
            let value = parameter.value
            switch parameter.name {
            case "sink": sink = try DeadLetterRoutes.sink(value)
            case "limit": limit = try parameter.limit()
            default: before = try parameter.seqCursor()
            }
        }
        let (wanted, start, count, store) = (sink, before, limit, store)
        return { call throws(Problem) in
            do throws(StorageError) {
                let page = try store.deadLetters(
                    sink: wanted, before: start, limit: count, deadline: call.deadline)
                return .page(
                    "dead_letters", page.letters, next: page.next.map { "\($0)" },
                    DeadLetterRoutes.append)
            } catch {
                throw Problem(error)
            }
        }
    }

    private static func sink(_ value: String) throws(Problem) -> String {
        guard SinkForms.isName(value) else {
            throw .parameter("sink", "sink is the name of a sink: 1 to 63 of a-z 0-9 - _.")
        }
        return value
    }

    private static func append(_ letter: DeadLetter, _ body: inout ByteBuffer) {
        body.append(#"{"seq":"#)
        body.append(decimal: letter.seq)
        body.append(#","sink":"#)
        body.append(jsonString: letter.sink)
        body.append(#","time":""#)
        body.append(timestamp: letter.time)
        if letter.status == DeadLetterEntry.neverRefused {
            body.append(#"","reason":"given_up","status":null"#)
        } else {
            body.append(#"","reason":"refused","status":"#)
            body.append(decimal: letter.status)
        }
        body.append(#","refusals":"#)
        body.append(decimal: letter.refusals)
        body.append(#","replayed":"#)
        body.append(jsonStringOrNull: letter.replayed.map(Timestamp.format))
        body.append(#","event":"#)
        body.append(letter.event.span)
        body.append("}")
    }

    // MARK: POST /events/dead-letters/replay

    private func replay(_ request: Request) throws(Problem) -> WorkerRoute.Job {
        var sink: String?
        for parameter in try request.checkedParameters(["sink"]) {
            sink = try DeadLetterRoutes.sink(parameter.value)
        }
        guard let sink else { throw .parameter("sink", "sink is required: the name of a sink.") }
        return { [sinks] call throws(Problem) in
            do throws(SinkReplayError) {
                let replay = try sinks.replay(sink, deadline: call.deadline)
                return try DeadLetterRoutes.response(replay)
            } catch {
                throw Problem(error)
            }
        }
    }

    private static func response(_ replay: SinkReplay) throws(SinkReplayError) -> Response {
        if replay.delivered == 0, replay.refused == 0, let failure = replay.failure {
            throw .unreachable(failure)
        }
        var body = ByteBuffer(capacity: 96)
        body.append(#"{"delivered":"#)
        body.append(decimal: replay.delivered)
        body.append(#","refused":"#)
        body.append(decimal: replay.refused)
        body.append(#","complete":"#)
        body.append(replay.isComplete ? "true}\n" : "false}\n")
        return .json(200, body)
    }
}

extension Problem {
    init(_ error: SinkReplayError) {
        switch error {
        case .unknownSink: self.init(404, "unknown_sink", "There is no sink of that name.")
        case .busy: self.init(409, "replay_running", "The sink's dead letters are being replayed.")
        case .unreachable:
            self.init(503, "sink_unreachable", "The sink's receiver does not take events.")
        case .store(let error): self.init(error)
        }
    }
}
