import Primitives

/// Says how many tests run at once. A test that has to wait holds no thread.
final class TestGate: Sendable {
    /// What a test does to the machine.
    enum Kind: CaseIterable {
        /// It mostly waits.
        case blocking
        /// It starts services and Redis servers, and loads them.
        case processes
        /// It measures time, or takes so much that others would fail: it runs by itself.
        case alone
    }

    private struct State {
        let limits: [Kind: Int]
        var running: [Kind: Int] = [:]
        var waiting: [Kind: [CheckedContinuation<Void, Never>]] = [:]

        var isEmpty: Bool { running.values.allSatisfy { $0 == 0 } }

        /// Takes out all who may run now.
        mutating func admit() -> [CheckedContinuation<Void, Never>] {
            var admitted: [CheckedContinuation<Void, Never>] = []
            guard running[.alone, default: 0] == 0 else { return admitted }
            for kind in Kind.allCases where kind != .alone {
                while running[kind, default: 0] < limits[kind, default: 1],
                    let first = takeFirst(kind)
                {
                    admitted.append(first)
                }
            }
            // Who measures comes last, when nobody else is left; else each would empty the machine
            // first, and fill it again.
            if isEmpty, let first = takeFirst(.alone) {
                admitted.append(first)
            }
            return admitted
        }

        private mutating func takeFirst(_ kind: Kind) -> CheckedContinuation<Void, Never>? {
            guard waiting[kind]?.isEmpty == false else { return nil }
            running[kind, default: 0] += 1
            return waiting[kind]?.removeFirst()
        }
    }

    private let state: Locked<State>
    private let whenEmpty: @Sendable () -> Void

    /// - Parameters:
    ///   - blocking: tests of that kind that run at once.
    ///   - processes: so too.
    ///   - whenEmpty: called whenever the last test has left: at the end, and perhaps before.
    init(blocking: Int, processes: Int, whenEmpty: @escaping @Sendable () -> Void) {
        state = Locked(State(limits: [.blocking: blocking, .processes: processes]))
        self.whenEmpty = whenEmpty
    }

    /// Waits for room and runs `body`.
    /// - Parameter isFirst: before all of its kind that wait.
    func run(_ kind: Kind, isFirst: Bool, _ body: () async throws -> Void) async throws {
        await withCheckedContinuation { test in
            change { state in
                let index = isFirst ? 0 : state.waiting[kind, default: []].endIndex
                state.waiting[kind, default: []].insert(test, at: index)
            }
        }
        defer { change { $0.running[kind, default: 0] -= 1 } }
        try await body()
    }

    private func change(_ body: (inout State) -> Void) {
        let (admitted, isEmpty) = state.withLock { state in
            body(&state)
            return (state.admit(), state.isEmpty)
        }
        if isEmpty { whenEmpty() }
        for test in admitted { test.resume() }
    }
}
