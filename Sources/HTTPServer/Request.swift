import Masking
import Primitives
import Telemetry

/// One HTTP request. It belongs to its connection, which uses it again for the next one: what a
/// handler wants to keep beyond its reply it copies. Touched by one thread at a time: the event
/// loop's, or the worker that the handler gave it to until that has answered.
package final class Request: @unchecked Sendable {  // One thread at a time, as said above.
    package var method: HTTPMethod = .get
    package var isHTTP10 = false
    /// As it came, with its query and its escapes.
    package var target = ByteBuffer(capacity: 128)
    package var headers = HeaderList()
    package var body = ByteBuffer(capacity: 1024)
    /// What the body has taken of the server's budget.
    var charge: BodyCharge
    /// Who asks; anonymous until the authorizer has judged the header.
    package var principal = Principal.anonymous
    /// Values of the template's `{name}` segments, in their order.
    package var pathParameters: [String] = []
    /// What correlates the records of this request; a sane `X-Request-Id` or one made here.
    package var id = ByteBuffer(capacity: 64)
    /// The client named it.
    var isIDGiven = false
    package var trace = TraceContext(
        traceID: Key128(high: 0, low: 0), spanID: 0, parentID: 0, isSampled: false)
    /// The event loop that serves it: an index for what each loop has its own of.
    package var loopIndex = 0
    package var received = MonotonicTime(nanoseconds: 0)
    /// The template that matched; nil before routing and for a 404.
    package var route: String?
    /// The router's index of it; -1 before routing and for a 404.
    package var routeIndex = -1
    /// How refusals of this request look; nil: as everywhere.
    var problemForm: ProblemForm?

    /// Masks what problems about it say.
    let masker: Masker

    package convenience init() { self.init(budget: nil) }

    /// - Parameter budget: what its bodies are counted in; nil counts nothing.
    init(budget: BodyBudget?, masker: Masker = .standard) {
        charge = BodyCharge(budget)
        self.masker = masker
    }

    /// A request without a socket, for tests.
    package convenience init(
        _ method: HTTPMethod, _ target: String, headers: [(String, String)] = [],
        body: some Collection<UInt8> = []
    ) {
        self.init()
        self.method = method
        self.target.append(target)
        for (name, value) in headers { self.headers.append(name: name, value: value) }
        self.body.append(contentsOf: body)
        received = .now()
    }

    /// The path as it came, `/` for an absolute form without one.
    package var rawPath: UnsafeRawBufferPointer { RequestTarget.split(target.span).path }

    package var hasQuery: Bool { RequestTarget.split(target.span).query != nil }

    /// The query's parameters, decoded, in their order.
    package func parameters() throws(TargetError) -> [Parameter] {
        guard let query = RequestTarget.split(target.span).query else { return [] }
        return try RequestTarget.parameters(query)
    }

    /// The media type of the body without parameters, in lower case; nil without a header.
    package var mediaType: String? {
        guard let value = headers.first("content-type") else { return nil }
        let end = value.firstIndex(of: UInt8(ascii: ";")) ?? value.count
        let type = UnsafeRawBufferPointer(rebasing: value[..<end]).trimmed
        return String(decoding: type, as: UTF8.self).lowercased()
    }

    /// Makes it ready for the next request on the connection.
    func reset() {
        method = .other
        target.removeAll()
        headers.removeAll()
        body.removeAll()
        if !pathParameters.isEmpty { pathParameters.removeAll() }
        if principal !== Principal.anonymous { principal = .anonymous }
        id.removeAll()
        isIDGiven = false
        route = nil
        routeIndex = -1
        problemForm = nil
    }
}
