import HTTPServer
import Primitives
import Query

/// Parameters that several routes of lists have.
extension Parameter {
    private static let limitRange = 1...1000

    /// How many rows a page may have.
    func limit() throws(Problem) -> Int {
        guard let limit = Int(value), Parameter.limitRange.contains(limit) else {
            throw .parameter(
                name,
                "\(name) is a whole number from 1 to \(Parameter.limitRange.upperBound).")
        }
        return limit
    }

    /// A moment, absolute or relative to `now`; milliseconds since 1970.
    func moment(now: Int64) throws(Problem) -> Int64 {
        guard let time = QueryMoment.milliseconds(value, now: now) else {
            throw .parameter(name, "\(name) \(QueryMoment.rule).")
        }
        return time
    }

    /// The number of the last row of the page before.
    func seqCursor() throws(Problem) -> Int64 {
        guard let seq = Int64(value), seq > 0 else { throw .badCursor }
        return seq
    }
}
