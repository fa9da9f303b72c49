import HTTPServer
import OTLPMessages
import Primitives

/// What OTLP over HTTP says of requests and answers of every signal (opentelemetry-proto,
/// docs/specification.md, "OTLP/HTTP").
enum OTLPForm {
    /// By the media type alone, whatever its case and parameters; nil for any other.
    static func encoding(of request: Request) -> OTLPEncoding? {
        switch request.mediaType {
        case "application/x-protobuf": .protobuf
        case "application/json": .json
        default: nil
        }
    }

    /// A refusal as `google.rpc.Status`, written as the request was; in JSON where that is unknown.
    static let problem: ProblemForm = { problem, request in
        let encoding = encoding(of: request) ?? .json
        let status = RPCStatus(httpStatus: problem.status, message: problem.detail)
        return (encoding.mediaType, status.body(encoding))
    }

    static let unsupportedMediaType = Problem(
        415, "unsupported_media_type",
        "Content-Type must be application/x-protobuf or application/json.")
}
