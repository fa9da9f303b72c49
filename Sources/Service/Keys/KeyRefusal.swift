import HTTPServer

/// Why a request was turned away at the door (RFC 6750, section 3.1).
enum KeyRefusal: String, CaseIterable, Sendable {
    /// No `Authorization`, or one of another scheme.
    case missing = "missing_key"
    /// `Authorization` is there twice, or holds no token.
    case malformed = "malformed_authorization"
    /// Nobody's key, or one that was revoked.
    case unknown = "unknown_key"
    case expired = "expired_key"
    case scope = "insufficient_scope"

    private static let realm = #"Bearer realm="millrace""#

    /// - Parameter scope: the one that is asked for, where one is.
    func problem(scope: String? = nil) -> Problem {
        var problem = Problem(status, rawValue, detail(scope))
        // A client that sent nothing is told how to ask, and not that it made a mistake.
        var challenge = KeyRefusal.realm
        switch self {
        case .missing: break
        case .malformed: challenge += #", error="invalid_request""#
        case .unknown, .expired: challenge += #", error="invalid_token""#
        case .scope: challenge += #", error="insufficient_scope""#
        }
        if let scope, self == .scope || self == .missing { challenge += #", scope="\#(scope)""# }
        problem.headers.append(("WWW-Authenticate", challenge))
        return problem
    }

    private var status: Int {
        switch self {
        case .missing, .unknown, .expired: 401
        case .malformed: 400
        case .scope: 403
        }
    }

    private func detail(_ scope: String?) -> String {
        switch self {
        case .missing: "A key is needed: Authorization: Bearer KEY."
        case .malformed: "Authorization is sent once, as Bearer and a key."
        case .unknown: "The key is not known, or it was revoked."
        case .expired: "The key has expired."
        case .scope: "The key lacks the scope \(scope ?? "")."
        }
    }
}
