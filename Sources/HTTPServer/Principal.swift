import Primitives

/// Who asks, as the authorizer found out. All requests of one caller share an instance.
package final class Principal: Sendable {
    /// The name of the caller's key, for records and metrics.
    package let name: String
    package let scopes: Set<String>
    /// Event types that the caller is bound to, as patterns such as `web.*`. Empty: all.
    package let types: [String]
    /// Named queries that the caller is bound to. Empty: any question.
    package let queries: [String]
    /// What the caller may use a second; nil: without limit.
    package let quota: Quota?
    /// The source of events that name none: a slash and the caller's name.
    package let source: Bytes

    package init(
        name: String, scopes: Set<String>, types: [String] = [], queries: [String] = [],
        quota: Quota? = nil
    ) {
        self.name = name
        self.scopes = scopes
        self.types = types
        self.queries = queries
        self.quota = quota
        source = Bytes("/" + name)
    }

    /// A caller of whom nothing is known.
    package static let anonymous = Principal(name: "anonymous", scopes: [])
}
