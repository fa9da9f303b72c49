import Primitives

/// How a request and its answer are written.
package enum OTLPEncoding: Sendable {
    case protobuf
    case json

    package var mediaType: StaticString {
        switch self {
        case .protobuf: "application/x-protobuf"
        case .json: "application/json"
        }
    }

    /// Of a request that exports a compressed message.
    package static var exportHeaders: [(name: String, value: String)] {
        [("Content-Type", "\(OTLPEncoding.protobuf.mediaType)"), ("Content-Encoding", "gzip")]
    }
}

/// `ExportLogsServiceResponse`: how many records of a request were left out, and why. Without any it
/// is an empty message: one that speaks of 0 records makes clients warn.
package struct OTLPPartialSuccess: Equatable, Sendable {
    package var rejected: Int64
    package var message: String

    package init(rejected: Int64, message: String) {
        self.rejected = rejected
        self.message = message
    }

    /// The body of an answer to a request that was taken; nil means that all of it was.
    package static func reply(_ partial: OTLPPartialSuccess?, _ encoding: OTLPEncoding) -> Bytes {
        var body = ByteBuffer(capacity: 128)
        switch encoding {
        case .protobuf:
            if let partial {
                body.append(field: 1) {
                    $0.append(field: 1, varint: UInt64(bitPattern: partial.rejected))
                    $0.append(field: 2, text: partial.message)
                }
            }
        case .json:
            body.append("{")
            if let partial {
                // Integers of 64 bits are strings in this form.
                body.append(#""partialSuccess":{"rejectedLogRecords":""#)
                body.append(decimal: partial.rejected)
                body.append(#"","errorMessage":"#)
                body.append(jsonString: partial.message)
                body.append("}")
            }
            body.append("}")
        }
        return body.freeze()
    }

    /// Reads an answer in Protocol Buffers; nil if all records were accepted. A body that is no such
    /// message counts as that, since its status was 2xx.
    package init?(reply body: Bytes) {
        let partial = withExtendedLifetime(body) { OTLPPartialSuccess(reply: body.span) }
        guard let partial else { return nil }
        self = partial
    }

    private init?(reply: UnsafeRawBufferPointer) {
        do {
            var fields = ProtobufReader(reply)
            var partial: UnsafeRawBufferPointer?
            while let field = try fields.next() {
                if field.number == 1, field.wire == .bytes { partial = field.bytes }
            }
            guard let partial else { return nil }
            self.init(rejected: 0, message: "")
            fields = ProtobufReader(partial)
            while let field = try fields.next() {
                switch (field.number, field.wire) {
                case (1, .varint): rejected = Int64(bitPattern: field.value)
                case (2, .bytes): message = String(decoding: field.bytes, as: UTF8.self)
                default: break
                }
            }
        } catch {
            return nil
        }
    }
}

/// `google.rpc.Status`: what OTLP answers a request with that was not taken.
package struct RPCStatus: Equatable, Sendable {
    /// Of google.rpc.Code.
    package let code: Int
    package let message: String

    package init(code: Int, message: String) {
        self.code = code
        self.message = message
    }

    /// The code that says what an HTTP status says (google/rpc/code.proto).
    package init(httpStatus: Int, message: String) {
        let code =
            switch httpStatus {
            case 401: 16  // UNAUTHENTICATED
            case 403: 7  // PERMISSION_DENIED
            case 404: 5  // NOT_FOUND
            case 405, 501: 12  // UNIMPLEMENTED
            case 408, 504: 4  // DEADLINE_EXCEEDED
            case 413, 429: 8  // RESOURCE_EXHAUSTED
            case 503: 14  // UNAVAILABLE
            case 400..<500: 3  // INVALID_ARGUMENT
            default: 13  // INTERNAL
            }
        self.init(code: code, message: message)
    }

    package func body(_ encoding: OTLPEncoding) -> Bytes {
        var body = ByteBuffer(capacity: 128)
        switch encoding {
        case .protobuf:
            body.append(field: 1, varint: UInt64(code))
            body.append(field: 2, text: message)
        case .json:
            body.append(#"{"code":"#)
            body.append(decimal: code)
            body.append(#","message":"#)
            body.append(jsonString: message)
            body.append("}")
        }
        return body.freeze()
    }
}
