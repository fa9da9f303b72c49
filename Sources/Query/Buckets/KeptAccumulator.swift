import Primitives

/// Values of metrics that were computed before, for groups to which nothing is added.
final class KeptAccumulator: Accumulator {
    private struct Place: Hashable {
        var group: Int
        var function: QueryMetric.Function
    }

    private var values = ByteBuffer(capacity: 1024)
    private var places: [Place: Int] = [:]
    private var groups = 0

    override func extend(to count: Int) { groups = max(groups, count) }
    override var byteCount: Int { values.capacity + places.count * 48 }

    /// - Parameter value: its bytes, as `ValueKey` writes them exactly.
    func set(_ value: UnsafeRawBufferPointer, _ function: QueryMetric.Function, of group: Int) {
        places[Place(group: group, function: function)] = values.count
        values.append(value)
    }

    override func value(_ function: QueryMetric.Function, of group: Int) -> QueryValue {
        guard var offset = places[Place(group: group, function: function)] else { return .null }
        return ValueKey.take(values.span, &offset)
    }
}
