internal import Glibc
import Primitives

/// Answers a request through its responder: at once, or later from any thread.
package typealias Handler = @Sendable (Request, Responder) -> Void

/// A path template and what answers each of its methods.
package struct Route: Sendable {
    enum Segment: Equatable, Sendable {
        case literal(String)
        case parameter
    }

    package let template: String
    package let index: Int
    let segments: [Segment]
    /// The whole template, if it has no parameter.
    let literal: [UInt8]?
    /// By the method's raw value: a Dictionary would hash for every request.
    private var handlers: [Handler?] = HTTPMethod.allCases.map { _ in nil }

    init(template: String, index: Int, segments: [Segment], literal: [UInt8]?) {
        self.template = template
        self.index = index
        self.segments = segments
        self.literal = literal
    }

    var methods: [HTTPMethod] { HTTPMethod.allCases.filter { self[$0] != nil } }

    package var allow: String { Route.allow(methods) }

    /// What `Allow` says: HEAD comes with GET, OPTIONS always.
    static func allow(_ methods: some Sequence<HTTPMethod>) -> String {
        var all = Set(methods)
        if all.contains(.get) { all.insert(.head) }
        all.insert(.options)
        return all.map(\.name).sorted().joined(separator: ", ")
    }

    subscript(method: HTTPMethod) -> Handler? {
        get { handlers[Int(method.rawValue)] }
        set { handlers[Int(method.rawValue)] = newValue }
    }
}

/// Finds the handler of a request by method and path template (`/query/named/{name}`).
///
/// Built before the server starts and not changed afterwards. A dozen routes are compared one after
/// the other, those without parameters byte by byte.
package struct Router: Sendable {
    private var routes: [Route] = []
    /// What a 404 says.
    package var absence = "There is nothing here."

    package init() {}

    /// The templates, in the order of their indexes.
    package var templates: [String] { routes.map(\.template) }

    /// Methods of each template, for checking the OpenAPI description against.
    package var methods: [String: [HTTPMethod]] {
        Dictionary(uniqueKeysWithValues: routes.map { ($0.template, $0.methods) })
    }

    package mutating func on(
        _ method: HTTPMethod, _ template: String, _ handler: @escaping Handler
    ) {
        if let index = routes.firstIndex(where: { $0.template == template }) {
            precondition(routes[index][method] == nil, "\(method) \(template) twice")
            return routes[index][method] = handler
        }
        let segments = template.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            .map { $0.hasPrefix("{") ? Route.Segment.parameter : .literal(String($0)) }
        var route = Route(
            template: template, index: routes.count, segments: segments,
            literal: segments.contains(.parameter) ? nil : Array(template.utf8))
        route[method] = handler
        routes.append(route)
    }

    /// Hands `request` to its handler, or answers 404, 405 or OPTIONS.
    package func handle(_ request: Request, _ responder: Responder) {
        if request.method == .options, RequestTarget.isServer(request.target.span) {
            let methods = routes.flatMap(\.methods)
            return responder.respond(Router.options(allow: Route.allow(methods)))
        }
        guard let index = matchingIndex(request) else {
            return responder.respond(Problem(404, "not_found", absence), request)
        }
        request.route = routes[index].template
        request.routeIndex = index
        let method = request.method == .head ? .get : request.method
        if let handler = routes[index][method] { return handler(request, responder) }
        let allow = routes[index].allow
        if request.method == .options {
            return responder.respond(Router.options(allow: allow))
        }
        var problem = Problem(405, "method_not_allowed", "Allowed here: \(allow).")
        problem.headers.append(("Allow", allow))
        responder.respond(problem, request)
    }

    private static func options(allow: String) -> Response {
        var response = Response(204)
        response.add("Allow", allow)
        return response
    }

    /// The route of `request`; nil if there is none.
    package func match(_ request: Request) -> Route? { matchingIndex(request).map { routes[$0] } }

    // By index: a copy of each route on the way would be counted, up and down.
    private func matchingIndex(_ request: Request) -> Int? {
        let path = request.rawPath
        guard path.first == UInt8(ascii: "/") else { return nil }
        for index in routes.indices where matches(index, path, request) { return index }
        return nil
    }

    private func matches(
        _ index: Int, _ path: UnsafeRawBufferPointer, _ request: Request
    ) -> Bool {
        if let literal = routes[index].literal { return path.isEqual(to: literal) }
        let route = routes[index]
        var values: [String] = []
        var start = 1
        for (index, segment) in route.segments.enumerated() {
            guard start <= path.count else { return false }
            let end = path[start...].firstIndex(of: UInt8(ascii: "/")) ?? path.count
            let isLast = index == route.segments.count - 1
            guard isLast == (end == path.count) else { return false }
            let bytes = UnsafeRawBufferPointer(rebasing: path[start..<end])
            switch segment {
            case .literal(let text):
                guard bytes.elementsEqual(text.utf8) else { return false }
            case .parameter:
                guard !bytes.isEmpty, let value = try? RequestTarget.decode(bytes, plus: false)
                else { return false }
                values.append(value)
            }
            start = end + 1
        }
        request.pathParameters = values
        return true
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func isEqual(to bytes: [UInt8]) -> Bool {
        guard count == bytes.count else { return false }
        return bytes.withUnsafeBytes { other in
            guard let a = baseAddress, let b = other.baseAddress else { return true }
            return memcmp(a, b, count) == 0
        }
    }
}
