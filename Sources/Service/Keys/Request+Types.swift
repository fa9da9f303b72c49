import EventCoding
import HTTPServer
import Primitives

/// What a key that is bound to event types may ask about.
extension Request {
    /// The types that an answer may speak of: those that were asked for, or all that the key is
    /// bound to.
    /// - Parameters:
    ///   - asked: empty for all types.
    ///   - parameter: what names types, for the refusal.
    ///   - limit: how many types the answer can be restricted to.
    /// - Returns: empty for all types.
    /// - Throws: a 403 if a type is not the key's, or if the key's types cannot be listed.
    func permittedTypes(
        _ asked: [String], parameter: String, limit: Int
    ) throws(Problem) -> [String] {
        guard !principal.types.isEmpty else { return asked }
        try checkTypes(asked, parameter: parameter)
        if !asked.isEmpty { return asked }
        let bound = principal.types
        guard bound.count <= limit, !bound.contains(where: { $0.hasSuffix("*") }) else {
            throw .typeNotAllowed(
                parameter,
                "The key is bound to types by their beginnings or to many; name the types you ask "
                    + "about in \(parameter).")
        }
        return bound
    }

    /// - Throws: a 403 if one of the types is not the key's.
    func checkTypes(_ asked: [String], parameter: String) throws(Problem) {
        let patterns = EventTypePatterns(principal.types)
        guard !principal.types.isEmpty else { return }
        guard asked.allSatisfy({ patterns.match($0) }) else {
            throw .typeNotAllowed(parameter, "The key is bound to other types.")
        }
    }

    /// The parameters of a question, with the types of the key where none are named.
    /// - Throws: a 403 if the key may not ask freely, or its types cannot be listed. Types that are
    ///   named are for `checkTypes` once they have been read.
    func restrictedToTypes(
        _ parameters: [Parameter]
    ) throws(Problem) -> [Parameter] {
        try checkFreeQuery()
        guard !principal.types.isEmpty, !parameters.contains(where: { $0.name == "event" }) else {
            return parameters
        }
        let types = try permittedTypes([], parameter: "event", limit: 100)
        return parameters + [Parameter(name: "event", elements: types)]
    }

    /// Questions that are asked freely are not for a key that is bound to named ones.
    func checkFreeQuery() throws(Problem) {
        guard !principal.queries.isEmpty else { return }
        throw Problem(403, "query_not_allowed", "The key is bound to named queries.")
    }
}

extension Problem {
    static func typeNotAllowed(_ parameter: String, _ detail: String) -> Problem {
        Problem(403, "type_not_allowed", detail, parameter: parameter)
    }
}
