import Primitives

/// Says whether a reply is still valid, so that the server may answer the same request, byte for byte,
/// without calling the handler.
///
///     response.repetition = ReplyRepetition { now in answer.isCurrent(at: now) }
///
/// A handler's inputs are the request's bytes, the caller and other state. The server compares the
/// bytes and authorizes the caller again; this answers for the other state. It is called on an event
/// loop for each repeated request, so it must be cheap and must not block. After a second the handler
/// is called again in any case.
package final class ReplyRepetition: Sendable {
    private let isCurrent: @Sendable (MonotonicTime) -> Bool

    /// - Parameter isCurrent: whether the handler would give the same reply at this moment.
    package init(_ isCurrent: @escaping @Sendable (MonotonicTime) -> Bool) {
        self.isCurrent = isCurrent
    }

    func holds(at now: MonotonicTime) -> Bool { isCurrent(now) }
}
