import Primitives

/// Receives the body of one request: counts what comes, keeps it within its limits, and knows why it
/// is kept no longer. On the loop's thread.
struct BodyIntake {
    /// What a header says of the body that follows.
    enum Announcement: Equatable {
        case nothing
        case length(Int)
        /// A chunked body, whose length shows only at its end.
        case chunked
    }

    /// As they came, chunk framing left out.
    private(set) var bytes = 0
    /// Why the body is not kept: what still comes of it is counted and thrown away.
    private(set) var refusal: Problem?
    private var limitBytes: Int
    private var isKept = true
    /// Of a chunked body.
    private var chunks: ChunkWalk?

    init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// Makes it ready for the next request.
    mutating func begin(limitBytes: Int) {
        self.limitBytes = limitBytes
        bytes = 0
        isKept = true
        if refusal != nil { refusal = nil }
        if chunks != nil { chunks = nil }
    }

    /// What `headers` announce; they have passed the request guard.
    static func announcement(_ headers: borrowing HeaderList) -> Announcement {
        if let value = headers.first("content-length") {
            // The guard has seen that there are only digits; too many of them are too much.
            guard value.count <= 18 else { return .length(.max) }
            let length = value.reduce(0) { $0 * 10 + Int($1 &- UInt8(ascii: "0")) }
            return length == 0 ? .nothing : .length(length)
        }
        return headers.first("transfer-encoding") == nil ? .nothing : .chunked
    }

    /// Takes a route's limit, and judges the body by what its header announces.
    /// - Throws: a 413 or 503.
    mutating func expect(
        _ limit: BodyLimit, serverLimit: Int, _ announcement: Announcement, _ budget: BodyBudget
    ) throws(Problem) {
        limitBytes = limit.bytes(serverLimit: serverLimit)
        isKept = limit.isKept
        guard case .length(let length) = announcement else { return }
        guard length <= limitBytes else { throw .bodyTooLarge(limitBytes) }
        guard budget.hasRoom(for: length) else {
            budget.refused.add()
            throw .bodyBudget
        }
    }

    /// The body is chunked, and what follows the header lies at `bodyStart`.
    mutating func watchChunks(from bodyStart: UnsafeRawPointer, memoryBytes: Int) {
        chunks = ChunkWalk(bodyStart: bodyStart, memoryBytes: memoryBytes)
    }

    var isChunked: Bool { chunks != nil }

    /// Nobody knows for sure where the body ended, so the connection must end with the reply.
    var isEndUncertain: Bool { chunks?.isBlind ?? false }

    /// The body is whole.
    /// - Parameters:
    ///   - areTrailersSound: the fields after it are of the grammar.
    ///   - pass: when this pass of the loop began.
    mutating func finish(areTrailersSound: Bool, pass: MonotonicTime, _ request: Request) {
        guard refusal == nil else { return }
        if chunks?.finish(pass: pass) == .malformed {
            refuse(Problem(RequestGuard.invalidChunk), request)
        } else if !areTrailersSound {
            refuse(Problem(RequestGuard.invalidTrailer), request)
        }
    }

    /// Takes a piece of the body into `request`.
    /// - Parameter pass: when this pass of the loop began.
    /// - Returns: false when so much came of a refused body that the connection is to be cut:
    ///   libmicrohttpd takes no reply while a body comes, so a little more is read.
    mutating func take(
        _ piece: UnsafeRawBufferPointer, pass: MonotonicTime, into request: Request
    ) -> Bool {
        bytes += piece.count
        if refusal == nil, chunks?.piece(piece, pass: pass) == .malformed {
            refuse(Problem(RequestGuard.invalidChunk), request)
        }
        if refusal == nil {
            if bytes > limitBytes {
                refuse(.bodyTooLarge(limitBytes), request)
            } else if isKept, !request.appendBody(piece, limitBytes: limitBytes) {
                refuse(.bodyBudget, request)
            }
        }
        return refusal == nil || bytes <= 2 * limitBytes + (1 << 20)
    }

    private mutating func refuse(_ problem: Problem, _ request: Request) {
        refusal = problem
        request.dropBody()
    }
}

extension Problem {
    static func bodyTooLarge(_ limitBytes: Int) -> Problem {
        var problem = Problem(
            413, "body_too_large", "A body is limited to \(limitBytes) bytes.", limit: limitBytes)
        problem.closesConnection = true
        return problem
    }
}
