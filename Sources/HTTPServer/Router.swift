internal import Glibc
import Primitives

/// Finds what answers a request by method and path template (`/query/named/{name}`).
///
///     var router = Router()
///     router.on(.post, "/events", access: .scope("events:write"), bodyLimit: .standard) {
///         request, responder in …
///     }
///
/// A request is matched when its header is complete, before any byte of its body is read. The router
/// is built before a server gets it and not changed afterwards. A dozen routes are compared one after
/// the other, those without parameters byte by byte.
package struct Router: Sendable {
    /// What becomes of a request.
    package enum Match: Sendable {
        case endpoint(Endpoint)
        /// The router answers itself: 404, 405, or OPTIONS.
        case answer(Response)
    }

    private var routes: [Route] = []
    /// What is answered where no template matches.
    package var absence = Problem(404, "not_found", "There is nothing here.")

    package init() {}

    /// The templates, in the order of their indexes.
    package var templates: [String] { routes.map(\.template) }

    /// Methods of each template, for checking the OpenAPI description against.
    package var methods: [String: [HTTPMethod]] {
        Dictionary(uniqueKeysWithValues: routes.map { ($0.template, $0.methods) })
    }

    /// Has `handler` answer a method of a template.
    /// - Parameters:
    ///   - access: what the authorizer is asked, before any byte of the body is read.
    ///   - bodyLimit: judged by what the header announces, and again while the body comes.
    ///   - problemForm: how refusals look, for a protocol that says so; nil: as everywhere.
    package mutating func on(
        _ method: HTTPMethod, _ template: String, access: Access, bodyLimit: BodyLimit,
        problemForm: ProblemForm? = nil, _ handler: @escaping Handler
    ) {
        let endpoint = Endpoint(
            access: access, bodyLimit: bodyLimit, problemForm: problemForm, handler: handler)
        if let index = routes.firstIndex(where: { $0.template == template }) {
            precondition(routes[index][method] == nil, "\(method) \(template) twice")
            return routes[index][method] = endpoint
        }
        var route = Route(template: template, index: routes.count)
        route[method] = endpoint
        routes.append(route)
    }

    /// Says what answers `request`, and notes the route and its parameters there.
    package func match(_ request: Request) -> Match {
        if request.method == .options, RequestTarget.isServer(request.target.span) {
            return .answer(Router.options(allow: Route.allow(routes.flatMap(\.methods))))
        }
        guard let index = matchingIndex(request) else {
            return .answer(problem(for: request).response(for: request))
        }
        request.route = routes[index].template
        request.routeIndex = index
        let method = request.method == .head ? .get : request.method
        if let endpoint = routes[index][method] {
            request.problemForm = endpoint.problemForm
            return .endpoint(endpoint)
        }
        let allow = routes[index].allow
        if request.method == .options { return .answer(Router.options(allow: allow)) }
        var problem = Problem(405, "method_not_allowed", "Allowed here: \(allow).")
        problem.headers.append(("Allow", allow))
        return .answer(problem.response(for: request))
    }

    private static func options(allow: String) -> Response {
        var response = Response(204)
        response.add("Allow", allow)
        return response
    }

    /// `absence`; a 404 also names the path that was probably meant.
    private func problem(for request: Request) -> Problem {
        var problem = absence
        let path = request.rawPath
        guard problem.status == 404, path.count > 2, path.last == UInt8(ascii: "/") else {
            return problem
        }
        let shorter = Request(.get, "")
        shorter.target.append(UnsafeRawBufferPointer(rebasing: path.dropLast()))
        if let index = matchingIndex(shorter) {
            problem.detail += " The path without its last slash is \(routes[index].template)."
        }
        return problem
    }

    /// Percent-encoded unreserved characters are the characters themselves (RFC 3986, section
    /// 6.2.2.2).
    private func matchingIndex(_ request: Request) -> Int? {
        let path = request.rawPath
        guard path.first == UInt8(ascii: "/"), let start = path.baseAddress else { return nil }
        guard memchr(start, Int32(UInt8(ascii: "%")), path.count) != nil else {
            return matchingIndex(of: path, request)
        }
        let plain = RequestTarget.unescapingUnreserved(path)
        return withExtendedLifetime(plain) { matchingIndex(of: plain.span, request) }
    }

    // By index: a copy of each route on the way would be counted, up and down.
    private func matchingIndex(
        of path: UnsafeRawBufferPointer, _ request: Request
    ) -> Int? {
        for index in routes.indices
        where routes[index].matches(path, &request.pathParameters) {
            return index
        }
        return nil
    }
}
