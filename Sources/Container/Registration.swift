/// How one component is made, started and stopped, its type erased so that all fit one table.
struct Registration {
    let factory: (Container) throws -> Any
    let start: ((Any) throws -> Void)?
    let stop: ((Any) throws -> Void)?

    init<Value>(
        start: ((Value) throws -> Void)?, stop: ((Value) throws -> Void)?,
        factory: @escaping (Container) throws -> Value
    ) {
        self.factory = factory
        self.start = start.map { start in { try start(Registration.cast($0)) } }
        self.stop = stop.map { stop in { try stop(Registration.cast($0)) } }
    }

    var hasLifecycle: Bool { start != nil || stop != nil }

    /// A component of a key has that key's type, because `register` takes both together.
    static func cast<Value>(_ value: Any) -> Value {
        guard let value = value as? Value else { preconditionFailure("\(Value.self) is no such") }
        return value
    }
}
