import Primitives

extension QueryRequest {
    private static let costKey = Key128(high: 0x636F_7374, low: 1)

    /// Questions that cost about the same have the same kind: what is asked of which types, over how
    /// long a time, how the rows are filled and put in order, and from where they may be taken, but
    /// not of whom (`where` without its values). Cheap enough for an event loop.
    /// - Parameter now: milliseconds since 1970.
    func costKind(now: Int64) -> UInt64 {
        var text = ByteBuffer(capacity: 256)
        for metric in metrics { text.append(jsonString: metric.name) }
        for type in types { text.append(jsonString: type) }
        for group in groups { text.append(jsonString: group.name) }
        for condition in conditions {
            text.append(jsonString: condition.field.name)
            text.append(condition.operation.rawValue)
        }
        text.append(interval?.rawValue ?? "")
        text.append(fill?.rawValue ?? "")
        for order in order {
            text.append(order.isDescending ? "-" : "+")
            text.append(decimal: order.column)
        }
        // A page further down sorts more rows; what is kept or counted before costs less.
        text.append(cursor == nil ? "." : ">")
        text.append(usesRollups ? "r" : "e")
        text.append(cacheMode?.rawValue ?? "")
        text.append(decimal: spanClass(now: now))
        return Key128(hashing: text.span, key: Self.costKey).low
    }

    /// Whether it may be long although its kind was short: each group gets a row in each of very many
    /// buckets, and how many groups there are nobody knows before.
    func fillsMany(now: Int64) -> Bool {
        guard fill != nil, let interval, !groups.isEmpty else { return false }
        return span(now: now) / interval.widthMilliseconds > Self.filledBuckets
    }

    /// Buckets of each group; a row that is filled in takes some 200 ns.
    private static let filledBuckets: Int64 = 5000

    /// The logarithm of the range's length: ranges that differ by less than twice count as one.
    private func spanClass(now: Int64) -> Int {
        Int64.bitWidth - span(now: now).leadingZeroBitCount
    }

    /// The range's length in milliseconds, about.
    private func span(now: Int64) -> Int64 {
        let end = to.flatMap { $0.resolved(now: now, zone: .utc) } ?? now
        let start =
            from.flatMap { $0.resolved(now: now, zone: .utc) } ?? (end - 86_400_000)
        return max(end &- start, 0)
    }
}
