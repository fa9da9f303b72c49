/// What a component is known by: its type, and a name where one type has several components.
package struct ComponentKey: Hashable, Sendable, CustomStringConvertible {
    private let type: ObjectIdentifier
    package let description: String

    init(_ type: any Any.Type, _ name: String?) {
        self.type = ObjectIdentifier(type)
        description = name.map { "\(type)(\($0))" } ?? "\(type)"
    }
}
