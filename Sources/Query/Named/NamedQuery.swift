import Primitives

/// A query that an operator has put into a file: its SQL, its parameters, and for how long its answers
/// are good.
package struct NamedQuery: Sendable {
    package enum Policy: String, Sendable, CaseIterable {
        /// An answer is good for its time.
        case ttl
        /// An answer is good until events come or go, and no longer than its time if it has one.
        case untilWrite = "until_write"
    }

    package let name: String
    package let sql: String
    package let description: String?
    package let parameters: [NamedParameter]
    package let policy: Policy
    package let ttl: Duration?
    package let staleWhileRevalidate: Duration
    /// Nil: what the service allows.
    package let timeout: Duration?
    package let rowLimit: Int
    /// The SQL says `:now` or asks for the date, or a parameter is a time, which may be relative.
    package let dependsOnTime: Bool
    /// Stands for what its answers depend on, beside parameters and events.
    let digest: Key128

    static let nameRule =
        "letters, digits, - _ and ., beginning with a letter or a digit, at most 63"

    /// A name that is part of a path, and of nothing else.
    static func isName(_ text: String) -> Bool {
        (1...63).contains(text.utf8.count)
            && text.utf8.allSatisfy(isNameByte)
            && text.utf8.first.map { $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "-") } == true
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "-"),
            UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// An answer over moving time is not kept for longer, whatever the events do.
    private static let movingLifetime = Duration.seconds(60)
    private static let stillLifetime = Duration.seconds(3600)

    /// For how long an answer is good.
    package var lifetime: Duration {
        ttl ?? (dependsOnTime ? NamedQuery.movingLifetime : NamedQuery.stillLifetime)
    }
}
