import EventCoding
import HTTPServer
import Primitives

/// What a body of events is written in, by its headers.
enum IntakeFormat {
    static let accepted =
        "application/json, application/x-ndjson, application/jsonl, application/ndjson, "
        + "application/x-jsonlines, application/x-json-stream, "
        + "application/cloudevents+json, application/cloudevents-batch+json, "
        + "or any type with ce-* headers"

    /// Names under which one event a line is sent.
    private static let lineTypes: [StaticString] = [
        "application/x-ndjson", "application/ndjson", "application/jsonl",
        "application/x-jsonlines", "application/x-json-stream",
    ]

    /// - Throws: a 415 that names what is accepted.
    static func of(_ request: Request) throws(Problem) -> EventFormat {
        let type = request.headers.first("content-type").map(mediaType)
        if let type {
            if type.isEqualIgnoringCase(to: "application/cloudevents+json") { return .cloudEvent }
            if type.isEqualIgnoringCase(to: "application/cloudevents-batch+json") {
                return .cloudEventBatch
            }
        }
        if let binary = binary(request) { return binary }
        if let type {
            if type.isEqualIgnoringCase(to: "application/json") { return .json }
            if lineTypes.contains(where: { type.isEqualIgnoringCase(to: $0) }) { return .ndjson }
        }
        throw Problem(415, "unsupported_media_type", "Content-Type must be \(accepted).")
    }

    private static func mediaType(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let end = value.firstIndex(of: UInt8(ascii: ";")) ?? value.count
        return UnsafeRawBufferPointer(rebasing: value[..<end]).trimmed
    }

    /// CloudEvents in binary mode have their attributes in headers (HTTP protocol binding 1.0).
    private static func binary(_ request: Request) -> EventFormat? {
        var attributes: [(name: String, value: [UInt8])] = []
        for index in 0..<request.headers.count {
            let (name, value) = request.headers[index]
            guard name.count > 3,
                UnsafeRawBufferPointer(rebasing: name[..<3]).isEqualIgnoringCase(to: "ce-")
            else { continue }
            let attribute = String(decoding: name[3...], as: UTF8.self)
            attributes.append((attribute, Array(value)))
        }
        guard !attributes.isEmpty else { return nil }
        return .binary(
            attributes: attributes,
            contentType: request.headers.first("content-type").map { Array($0) })
    }
}

/// How a body is packed, by its `Content-Encoding`.
enum IntakeCoding {
    /// - Returns: nil for a body as it is.
    /// Names under which one event a line is sent.
    private static let lineTypes: [StaticString] = [
        "application/x-ndjson", "application/ndjson", "application/jsonl",
        "application/x-jsonlines", "application/x-json-stream",
    ]

    /// - Throws: a 415 that names what is accepted.
    static func of(_ request: Request) throws(Problem) -> Inflate.Coding? {
        guard request.headers.first("content-encoding") != nil else { return nil }
        var coding: Inflate.Coding?
        guard let names = request.headers.items("content-encoding") else { throw unsupported }
        for name in names {
            switch name.lowercased().prefix(while: { !isSpace($0) }) {
            case "identity": continue
            case "gzip" where coding == nil, "x-gzip" where coding == nil: coding = .gzip
            case "deflate" where coding == nil: coding = .deflate
            default: throw unsupported
            }
        }
        return coding
    }

    private static var unsupported: Problem {
        var problem = Problem(
            415, "unsupported_content_encoding",
            "Content-Encoding must be gzip or deflate, and only one of them.")
        problem.headers.append(("Accept-Encoding", "gzip, deflate"))
        return problem
    }

    private static func isSpace(_ character: Character) -> Bool {
        character == " " || character == "\t"
    }

    /// Undoes the coding of a small body, if it has one, in place.
    static func undo(_ request: Request, limitBytes: Int) throws(Problem) {
        guard let coding = try of(request) else { return }
        try decode(request, coding, limits: Inflate.Limits(outputBytes: limitBytes))
    }

    /// Undoes the coding of the body of `request`, in place.
    /// - Throws: a 400 or 413. O(n), and never more than one byte beyond the limit.
    static func decode(
        _ request: Request, _ coding: Inflate.Coding, limits: Inflate.Limits
    ) throws(Problem) {
        let limitBytes = limits.outputBytes
        let capacity = min(limitBytes, request.body.count * 4)
        guard request.mayHold(besideBody: capacity) else { throw .bodyBudget }
        var plain = ByteBuffer(capacity: capacity)
        do throws(InflateError) {
            try Inflate.inflate(
                request.body.span, coding, limits: limits, into: &plain,
                mayGrow: { request.mayHold(besideBody: $0) })
        } catch {
            // At once, so that the next one finds room.
            request.dropBody()
            switch error {
            case .tooLarge:
                throw Problem(
                    413, "decompressed_body_too_large",
                    "A body is limited to \(limitBytes) bytes after decompression.",
                    limit: limitBytes)
            case .ratio:
                throw Problem(
                    413, "compression_ratio_too_high",
                    "A body of more than \(Inflate.Limits.bytesAtAnyRatio) bytes may be at most "
                        + "\(limits.ratio) times its compressed size.", limit: limits.ratio)
            case .truncated: throw Problem(400, "truncated_body", "The compressed body ends early.")
            case .corrupt:
                throw Problem(400, "corrupt_body", "The body is not what Content-Encoding says.")
            case .outOfMemory: throw .bodyBudget
            }
        }
        request.replaceBody(with: plain)
    }
}
