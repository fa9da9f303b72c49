/// What a route asks of the one who calls it. The server hands it to its `Authorizer` and knows no
/// scope itself.
package enum Access: Hashable, Sendable {
    /// Anybody may call.
    case `public`
    /// Any caller whose identity is known may call, whatever its scopes.
    case authenticated
    /// The caller needs this scope, such as `events:write`.
    case scope(String)
}

/// Judges, on the event loop, who asks: with the header complete and no byte of the body read.
/// Called for public routes too.
///
/// - Throws: the refusal, such as a 401 with its `WWW-Authenticate`.
package typealias Authorizer = @Sendable (Request, Access) throws(Problem) -> Principal
