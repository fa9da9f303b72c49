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
    var handlers: [HTTPMethod: Handler]

    /// What `Allow` says: HEAD comes with GET, OPTIONS always.
    package var allow: String {
        var methods = handlers.keys.map(\.name)
        if handlers[.get] != nil { methods.append("HEAD") }
        methods.append("OPTIONS")
        return methods.sorted().joined(separator: ", ")
    }

    func handler(for method: HTTPMethod) -> Handler? {
        handlers[method == .head ? .get : method]
    }
}

/// Finds the handler of a request by method and path template (`/query/named/{name}`).
///
/// Built before the server starts and not changed afterwards. A dozen routes are compared one after
/// the other, those without parameters byte by byte.
package struct Router: Sendable {
    private var routes: [Route] = []

    package init() {}

    /// The templates, in the order of their indexes.
    package var templates: [String] { routes.map(\.template) }

    /// Methods of each template, for checking the OpenAPI description against.
    package var methods: [String: [HTTPMethod]] {
        Dictionary(uniqueKeysWithValues: routes.map { ($0.template, Array($0.handlers.keys)) })
    }

    package mutating func on(
        _ method: HTTPMethod, _ template: String, _ handler: @escaping Handler
    ) {
        if let index = routes.firstIndex(where: { $0.template == template }) {
            precondition(routes[index].handlers[method] == nil, "\(method) \(template) twice")
            routes[index].handlers[method] = handler
            return
        }
        let segments = template.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            .map { $0.hasPrefix("{") ? Route.Segment.parameter : .literal(String($0)) }
        routes.append(
            Route(
                template: template, index: routes.count, segments: segments,
                literal: segments.contains(.parameter) ? nil : Array(template.utf8),
                handlers: [method: handler]))
    }

    /// Hands `request` to its handler, or answers 404, 405 or OPTIONS.
    package func handle(_ request: Request, _ responder: Responder) {
        guard let route = match(request) else {
            if request.method == .options, request.target.span.isEqual(to: "*") {
                return responder.respond(Response(204))
            }
            return responder.respond(Problem(404, "not_found", "There is nothing here."), request)
        }
        request.route = route.template
        request.routeIndex = route.index
        if let handler = route.handler(for: request.method) { return handler(request, responder) }
        if request.method == .options {
            var response = Response(204)
            response.add("Allow", route.allow)
            return responder.respond(response)
        }
        var problem = Problem(405, "method_not_allowed", "Allowed here: \(route.allow).")
        problem.headers.append(("Allow", route.allow))
        responder.respond(problem, request)
    }

    /// The index of the route of `request`; nil if there is none.
    package func match(_ request: Request) -> Route? {
        let path = request.rawPath
        guard path.first == UInt8(ascii: "/") else { return nil }
        for route in routes where matches(route, path, request) { return route }
        return nil
    }

    private func matches(
        _ route: Route, _ path: UnsafeRawBufferPointer, _ request: Request
    ) -> Bool {
        if let literal = route.literal { return path.isEqual(to: literal) }
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
