import Primitives

/// A request with everything resolved that it leaves open: moments, zone, buckets. Made on a thread
/// that may block, since a zone may have to be read from a file.
package struct QueryPlan: Sendable {
    package let request: QueryRequest
    /// When the first page was asked for, milliseconds since 1970: what relative times count from.
    package let now: Int64
    /// Milliseconds since 1970; `[from, to)`.
    package internal(set) var from: Int64
    /// Beyond every event where the range is open.
    package internal(set) var to: Int64
    /// Set exactly if the request has an interval.
    let buckets: QueryBuckets?
    /// With their moments as operands.
    let conditions: [QueryCondition]

    /// Behind every moment that an event can have.
    static let openEnd = Timestamp.range.upperBound + 1
    static let defaultStart = QueryMoment.ago(86_400_000)
    /// The end of what is filled in moves in steps of the narrowest interval.
    static let fillStepMilliseconds: Int64 = 60_000
    static let unknownZone = QueryError.invalid(
        "tz", "must be an IANA time zone such as Europe/Berlin")

    /// - Parameter now: milliseconds since 1970; a request for a later page has its own.
    /// - Throws: `invalid_parameter` for a zone that does not exist and for a range that holds
    ///   nothing, `too_many_buckets`.
    package init(_ request: QueryRequest, now: Int64) throws(QueryError) {
        let now = request.cursor?.now ?? now
        guard let zone = TimeZoneFile.rules(named: request.zone) else { throw Self.unknownZone }
        let end = try request.to.map { moment throws(QueryError) in
            guard let end = moment.resolvedEnd(now: now, zone: zone) else {
                throw .invalid("to", QueryMoment.rule)
            }
            return end
        }
        from = try Self.start(request, end: end, now: now, zone: zone)
        to = end ?? Self.openEnd
        guard from < to else { throw .invalid("from", "must be before to") }
        conditions = try request.conditions.map { condition throws(QueryError) in
            try condition.resolved(now: now, zone: zone)
        }
        buckets = request.interval.map { QueryBuckets(interval: $0, zone: zone) }
        self.request = request
        self.now = now
        try buckets?.check(from: from, to: filledEnd)
    }

    private static func start(
        _ request: QueryRequest, end: Int64?, now: Int64, zone: TimeZoneRules
    ) throws(QueryError) -> Int64 {
        if request.from == nil, let end {
            // `to=now` ends a step later than the moment from which a day is counted.
            return request.to == .ago(0)
                ? defaultStart.resolved(now: now, zone: zone) ?? end - 86_400_000
                : end - 86_400_000
        }
        let moment = request.from ?? defaultStart
        guard let start = moment.resolved(now: now, zone: zone) else {
            throw .invalid("from", QueryMoment.rule)
        }
        return start
    }

    /// The range has no end: what is stored by now counts, whatever moment it carries.
    package var isOpen: Bool { to == Self.openEnd }
    /// The end of the range for those who read generations; nil without one.
    package var endOrNil: Int64? { isOpen ? nil : to }
    /// Rows on the pages before.
    var offset: Int { request.cursor?.offset ?? 0 }

    /// Empty buckets are filled in before it: up to the end of the range, and of an open one up to
    /// the present bucket. Later events of clients whose clocks run ahead have rows, but nothing is
    /// filled in on the way to them, however far ahead they are.
    var filledEnd: Int64 {
        isOpen ? max(from, floor(now, to: Self.fillStepMilliseconds)) + 1 : to
    }

    /// The same over a part of the range.
    func narrowed(to range: Range<Int64>) -> QueryPlan {
        var plan = self
        (plan.from, plan.to) = (range.lowerBound, range.upperBound)
        return plan
    }

    package var canonicalKey: String { request.canonicalKey(now: now) }
}
