import TestSupport

extension SeededGenerator {
    /// One of `weighted`, as often as its weight says.
    mutating func pick<Value>(_ weighted: [(Value, Int)]) -> Value? {
        var left = Int.random(in: 0..<weighted.reduce(0) { $0 + $1.1 }, using: &self)
        for (value, weight) in weighted {
            if left < weight { return value }
            left -= weight
        }
        return weighted.last?.0
    }
}
