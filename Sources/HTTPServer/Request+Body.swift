import Primitives

// The memory of a body, which the server's budget counts.

extension Request {
    /// Appends a piece of the body.
    /// - Parameter limitBytes: of the whole body; its buffer does not grow beyond.
    /// - Returns: false, with nothing appended, if the budget has no room for it.
    func appendBody(_ piece: UnsafeRawBufferPointer, limitBytes: Int) -> Bool {
        let needed = body.count + piece.count
        if needed > body.capacity {
            let larger = max(needed, min(body.capacity * 2, limitBytes))
            guard charge.cover(larger, isReceived: true) else { return false }
            body.reserve(capacity: larger)
        }
        body.append(piece)
        return true
    }

    /// Whether the budget has room for a buffer of `capacity` bytes beside the body; then it is
    /// taken, until the body is replaced or dropped.
    package func mayHold(besideBody capacity: Int) -> Bool {
        charge.cover(body.capacity + capacity, isReceived: false)
    }

    /// Puts what the body was decoded to in its place.
    package func replaceBody(with decoded: consuming ByteBuffer) {
        body = decoded
        charge.settle(body.capacity)
    }

    /// Empties the body and gives back its memory beyond `limit` bytes, once nobody reads it.
    package func dropBody(above limit: Int = 1 << 10) {
        body.removeAll()
        body.shrink(above: limit)
        charge.settle(body.capacity)
    }
}

extension Problem {
    /// The memory for bodies is taken.
    package static var bodyBudget: Problem {
        var problem = Problem(
            503, "body_budget", "There is no memory for large bodies at the moment.")
        problem.closesConnection = true
        return problem
    }
}
