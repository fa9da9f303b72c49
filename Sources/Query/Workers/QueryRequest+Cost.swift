import Primitives

extension QueryRequest {
    private static let costKey = Key128(high: 0x636F_7374, low: 1)

    /// Questions that cost about the same have the same kind: what is asked of which types, over how
    /// long a time, but not of whom (`where` without its values). Cheap enough for an event loop.
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
        text.append(decimal: spanClass(now: now))
        return Key128(hashing: text.span, key: Self.costKey).low
    }

    /// The logarithm of the range's length: ranges that differ by less than twice count as one.
    private func spanClass(now: Int64) -> Int {
        let end = to.flatMap { $0.resolved(now: now, zone: .utc) } ?? now
        let start =
            from.flatMap { $0.resolved(now: now, zone: .utc) } ?? (end - 86_400_000)
        return Int64.bitWidth - max(end &- start, 0).leadingZeroBitCount
    }
}
