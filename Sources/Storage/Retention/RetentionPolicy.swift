/// How long events are kept, by their own time: an age for each kind of type, and one for all
/// others. Of logs, the same by service.
///
///     RetentionPolicy(standard: .seconds(90 * 86_400), rules: [.init(type: "http.*", age: …)])
package struct RetentionPolicy: Sendable, Equatable {
    package struct Rule: Sendable, Equatable {
        /// An event type or a service, or with `*` at the end the beginning of such names.
        package var type: String
        /// Nil: kept for ever.
        package var age: Duration?

        package init(type: String, age: Duration?) {
            self.type = type
            self.age = age
        }

        /// How much of the type the rule names; -1 if it is another's.
        fileprivate func match(_ type: String) -> Int {
            if self.type.hasSuffix("*") {
                let beginning = Array(self.type.utf8.dropLast())
                return Array(type.utf8).starts(with: beginning) ? beginning.count : -1
            }
            return self.type.utf8.elementsEqual(type.utf8) ? Int.max : -1
        }
    }

    /// Of types that no rule names; nil: kept for ever.
    package var standard: Duration?
    package var rules: [Rule]

    package init(standard: Duration? = nil, rules: [Rule] = []) {
        self.standard = standard
        self.rules = rules
    }

    /// Nothing is ever deleted.
    package var keepsAll: Bool { standard == nil && rules.allSatisfy { $0.age == nil } }

    /// Nil: kept for ever. A type itself comes before beginnings, and the longest of these first.
    package func age(of type: String) -> Duration? {
        let best = rules.max { $0.match(type) < $1.match(type) }
        guard let best, best.match(type) >= 0 else { return standard }
        return best.age
    }
}
