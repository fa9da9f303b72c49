import Primitives

// Requests with the same bytes as an earlier one get its reply without being parsed.

extension EventLoop {
    /// The valid reply to the same request, if its sender is still authorized.
    func repeated(_ request: RequestBytes, at now: MonotonicTime) -> RepeatedReply? {
        guard sendsPlainReplies, let reply = repeats.find(request),
            // Last, since it counts the request.
            reply.holds(at: now), application.readmit(reply.principal, reply.access, index)
        else { return nil }
        return reply
    }

    /// Makes a reply that may be sent again, and keeps it in the table.
    /// - Returns: nil if it cannot be sent again.
    func keep(
        _ response: Response, to request: Request, _ bytes: RequestBytes, _ endpoint: Endpoint
    ) -> RepeatedReply? {
        guard response.repetition != nil, sendsPlainReplies,
            let reply = RepeatedReply(response, request, bytes, endpoint, at: now)
        else { return nil }
        repeats.keep(reply, for: bytes, at: now)
        return reply
    }

    /// Sets the fields of `request` that parsing would have set, as far as the reply and the log need
    /// them.
    func identify(_ request: Request, by reply: RepeatedReply) {
        request.method = reply.method
        request.route = reply.route
        request.routeIndex = reply.routeIndex
        request.principal = reply.principal
        let spanID = ids.next(milliseconds: 0).low
        if let given = reply.givenID {
            request.id.append(given.span)
        } else {
            request.id.append(hex: spanID, digits: 16)
        }
        // Only log records name the trace, and a reply without an error may have none.
        guard options.accessLog == .all else { return }
        trace(request, reply.givenTrace, spanID: spanID)
    }
}
