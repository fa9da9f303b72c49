internal import Glibc

/// The dependency-injection container: makes every component once, when it is first asked for,
/// starts them so that whatever a component needs runs before it, and stops them in reverse.
///
/// A factory asks the container for what it needs, so the order is found and never written down.
/// One recursive lock is held while components are made, so every thread gets the same instance.
package final class Container: @unchecked Sendable {  // `mutex` guards everything that changes.
    private typealias Part = (key: ComponentKey, value: Any, registration: Registration)
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var registrations: [ComponentKey: Registration] = [:]
    private var order: [ComponentKey] = []
    private var instances: [ComponentKey: Any] = [:]
    /// What was made, dependencies first: a factory ends only after those that it asked for.
    private var made: [Part] = []
    /// The components being made right now, outermost first.
    private var path: [ComponentKey] = []
    private var started: Set<ComponentKey> = []
    private var hasStarted = false

    package init() {
        mutex = .allocate(capacity: 1)
        var attributes = pthread_mutexattr_t()
        pthread_mutexattr_init(&attributes)
        pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_RECURSIVE))
        pthread_mutex_init(mutex, &attributes)
        pthread_mutexattr_destroy(&attributes)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Says how a component is made, started and stopped. Traps after the start, and if repeated.
    /// - Parameters:
    ///   - name: tells components of the same type apart.
    ///   - start: makes it work, such as starting its threads; runs without the lock.
    ///   - stop: runs, also without the lock, if it was made and `start` did not fail.
    ///   - factory: makes it; asks the container for what it needs, and keeps no reference to it.
    package func register<Value>(
        _ type: Value.Type, name: String? = nil,
        start: ((Value) throws -> Void)? = nil, stop: ((Value) throws -> Void)? = nil,
        factory: @escaping (Container) throws -> Value
    ) {
        let key = ComponentKey(type, name)
        locked {
            precondition(!hasStarted, "\(key) is registered after the start")
            precondition(registrations[key] == nil, "\(key) is registered twice")
            order.append(key)
            registrations[key] = Registration(start: start, stop: stop, factory: factory)
        }
    }

    /// Puts another component in the place of a registered one: for tests. Traps if there is none
    /// to replace, or if it has been made, because others would hold on to the first.
    package func override<Value>(
        _ type: Value.Type, name: String? = nil,
        start: ((Value) throws -> Void)? = nil, stop: ((Value) throws -> Void)? = nil,
        factory: @escaping (Container) throws -> Value
    ) {
        let key = ComponentKey(type, name)
        locked {
            precondition(registrations[key] != nil, "\(key) is not registered")
            precondition(instances[key] == nil, "\(key) was made before it was overridden")
            registrations[key] = Registration(start: start, stop: stop, factory: factory)
        }
    }

    /// The one component of a type and name; makes it, and what it needs, if nobody has asked yet.
    /// - Throws: `.missing` or `.cycle` with the path that led there, `.factory` with its cause.
    package func resolve<Value>(
        _ type: Value.Type = Value.self, name: String? = nil
    ) throws(ContainerError) -> Value {
        Registration.cast(
            try locked { () throws(ContainerError) in try make(ComponentKey(type, name)) })
    }

    /// Makes all that have something to start or stop, then starts them, dependencies first. Call
    /// once. If one fails, those that run are stopped again.
    /// - Throws: as `resolve` does, and `.start` with its cause.
    package func start() throws(ContainerError) {
        var isComplete = false
        defer { if !isComplete { _ = stop() } }
        let parts = try locked { () throws(ContainerError) in
            precondition(!hasStarted, "a container starts once")
            hasStarted = true
            for key in order where registrations[key]?.hasLifecycle == true { _ = try make(key) }
            return made
        }
        for (key, value, registration) in parts {
            do { try registration.start?(value) } catch {
                throw ContainerError(code: .start, path: [key], cause: error)
            }
            locked { _ = started.insert(key) }
        }
        isComplete = true
    }

    /// Stops what was made and did not fail to start, dependents first, and tries all even if one
    /// fails. May be called again.
    /// - Returns: what failed.
    package func stop() -> [ContainerError] {
        let parts = locked {
            defer { made = [] }
            return made.filter { $0.registration.start == nil || started.contains($0.key) }
        }
        var failures: [ContainerError] = []
        for (key, value, registration) in parts.reversed() {
            do { try registration.stop?(value) } catch {
                failures.append(ContainerError(code: .stop, path: [key], cause: error))
            }
        }
        return failures
    }

    /// Only under the lock.
    private func make(_ key: ComponentKey) throws(ContainerError) -> Any {
        if let value = instances[key] { return value }
        guard !path.contains(key) else { throw ContainerError(code: .cycle, path: path + [key]) }
        path.append(key)
        defer { path.removeLast() }
        guard let registration = registrations[key] else {
            throw ContainerError(code: .missing, path: path)
        }
        do {
            let value = try registration.factory(self)
            instances[key] = value
            made.append((key, value, registration))
            return value
        } catch {
            // One of ours names the path already, from the outermost component on.
            throw error as? ContainerError
                ?? ContainerError(code: .factory, path: path, cause: error)
        }
    }

    private func locked<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }
}
