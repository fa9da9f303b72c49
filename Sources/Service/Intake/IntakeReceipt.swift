import HTTPServer
import Primitives
import Storage

/// What the decoder made of one body: enough to answer it once it is journaled.
struct IntakeReceipt: Sendable {
    /// The store's turn comes within milliseconds; where it is far behind or cannot write, the answer
    /// says how it stands.
    private static let quarantinePatience = Duration.seconds(1)

    let batchID: Key128
    let accepted: Int
    let rejected: Int
    /// A JSON array of the first errors.
    let errors: Bytes?
    /// Held in quarantine's inbox: to be added once the others are journaled, or let go.
    var refused: [QuarantineEntry]
    /// How many of the refused events are in quarantine for certain.
    var quarantined = 0
    let parameters: IntakeParameters
    /// The quota that the events were taken from; nil: the sender has none.
    let quota: Quota?
    let received: MonotonicTime

    var ackDeadline: Deadline {
        Deadline(received + .milliseconds(parameters.timeoutMilliseconds))
    }

    /// How long the answer waits for the store to have the refused events.
    var quarantineDeadline: Deadline {
        min(ackDeadline, Deadline(received + IntakeReceipt.quarantinePatience))
    }

    /// 202, or 200 once everything is visible.
    func response(reached level: AckLevel) -> Response {
        var body = ByteBuffer(capacity: 192)
        body.append(#"{"batch_id":""#)
        body.append(uuid: batchID)
        body.append(#"","ack":""#)
        switch level {
        case .journaled: body.append("journaled")
        case .streamed: body.append("streamed")
        case .stored: body.append("stored")
        }
        body.append(#"","accepted":"#)
        body.append(decimal: accepted)
        body.append(#","rejected":"#)
        body.append(decimal: rejected)
        if rejected > 0 {
            body.append(#","quarantined":"#)
            body.append(decimal: quarantined)
        }
        ItemErrors.end(&body, errors, count: rejected)
        return .json(level == .stored ? 200 : 202, body)
    }
}
