import Primitives

/// Says whether a reply is still the right one, so that the server may send it to whoever sends the
/// same request again, byte for byte, without asking the handler.
///
///     response.repetition = ReplyRepetition { now in answer.isCurrent(at: now) }
///
/// Everything in a request that the handler looks at is in its bytes, and who sends it is asked about
/// anew. So only what changes beside the request is asked of this: called on an event loop for each
/// repeated request, it must be cheap and must not block. The server asks for at most a second; then
/// the handler gets the request again.
package final class ReplyRepetition: Sendable {
    private let isCurrent: @Sendable (MonotonicTime) -> Bool

    /// - Parameter isCurrent: whether the handler would give the same reply at this moment; it is
    ///   given if so.
    package init(_ isCurrent: @escaping @Sendable (MonotonicTime) -> Bool) {
        self.isCurrent = isCurrent
    }

    func holds(at now: MonotonicTime) -> Bool { isCurrent(now) }
}
