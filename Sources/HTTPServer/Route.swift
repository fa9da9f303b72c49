import Primitives

/// Answers a request through its responder: at once, or later from any thread.
package typealias Handler = @Sendable (Request, Responder) -> Void

/// Writes what a refusal says in the form of a protocol of its own.
package typealias ProblemForm =
    @Sendable (Problem, Request) -> (contentType: StaticString, body: Bytes)

/// One method of a path: who may call it, what body it takes, and what answers it.
package final class Endpoint: Sendable {
    package let access: Access
    package let bodyLimit: BodyLimit
    package let problemForm: ProblemForm?
    package let handler: Handler

    init(
        access: Access, bodyLimit: BodyLimit, problemForm: ProblemForm? = nil,
        handler: @escaping Handler
    ) {
        self.access = access
        self.bodyLimit = bodyLimit
        self.problemForm = problemForm
        self.handler = handler
    }
}

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
    private var endpoints: [Endpoint?] = HTTPMethod.allCases.map { _ in nil }

    init(template: String, index: Int) {
        self.template = template
        self.index = index
        segments = template.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            .map { $0.hasPrefix("{") ? Segment.parameter : .literal(String($0)) }
        literal = segments.contains(.parameter) ? nil : Array(template.utf8)
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

    package subscript(method: HTTPMethod) -> Endpoint? {
        get { endpoints[Int(method.rawValue)] }
        set { endpoints[Int(method.rawValue)] = newValue }
    }

    /// Whether `path`, its unreserved characters unescaped, is one of this template.
    /// - Parameter values: takes those of the parameters, decoded; what was in it is lost.
    func matches(_ path: UnsafeRawBufferPointer, _ values: inout [String]) -> Bool {
        if let literal {
            return path.count == literal.count && path.elementsEqual(literal)
        }
        values.removeAll()
        var start = 1
        for (index, segment) in segments.enumerated() {
            guard start <= path.count else { return false }
            let end = path[start...].firstIndex(of: UInt8(ascii: "/")) ?? path.count
            let isLast = index == segments.count - 1
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
        return true
    }
}
