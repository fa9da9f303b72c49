import Primitives
import Storage

/// How long logs are kept: an age for each kind of service, counted from the end of a record's day.
///
///     let retention = LogRetention(policy)
///     retention.isOver(day, now: now)                       // the whole day may be dropped
///     retention.isOver(day, service: "checkout", now: now)  // its records of that service
struct LogRetention: Sendable {
    private let policy: RetentionPolicy
    /// The age at which a day holds nothing any more that is kept; nil: some service's logs stay.
    private let longest: Duration?
    /// The age from which on a day may hold something that is not kept; nil: all logs stay.
    private let shortest: Duration?

    init(_ policy: RetentionPolicy) {
        self.policy = policy
        let ages = [policy.standard] + policy.rules.map(\.age)
        longest = ages.contains(nil) ? nil : ages.compactMap(\.self).max()
        shortest = ages.compactMap(\.self).min()
    }

    /// Services have ages of their own.
    var hasRules: Bool { !policy.rules.isEmpty }

    /// Nothing of the day is kept.
    func isOver(_ day: LogDay, now: Int64) -> Bool { LogRetention.isPast(longest, day, now) }

    /// Some service's records of the day may not be kept while others' are.
    func isOverForSome(_ day: LogDay, now: Int64) -> Bool {
        hasRules && LogRetention.isPast(shortest, day, now)
    }

    /// - Parameter service: empty for records without one.
    func isOver(_ day: LogDay, service: String, now: Int64) -> Bool {
        LogRetention.isPast(policy.age(of: service), day, now)
    }

    /// Nil: kept for ever.
    func age(of service: String) -> Duration? { policy.age(of: service) }

    /// Of services without an age of their own.
    var standard: Duration? { policy.standard }

    private static func isPast(_ age: Duration?, _ day: LogDay, _ now: Int64) -> Bool {
        age.map { day.end + $0.wholeMilliseconds <= now } ?? false
    }
}
