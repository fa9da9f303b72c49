import Primitives

/// The flights under way, by key. Any thread.
final class FlightTable: Sendable {
    /// Keys whose bytes are equal.
    private struct Key: Hashable {
        let bytes: Bytes

        static func == (a: Key, b: Key) -> Bool {
            a.bytes.count == b.bytes.count && a.bytes.span.elementsEqual(b.bytes.span)
        }
        func hash(into hasher: inout Hasher) { hasher.combine(bytes: bytes.span) }
    }

    private struct State {
        /// Those that questions may join.
        var flights: [Key: Flight] = [:]
        /// Also those that were replaced or unlinked, for whose waiters somebody must care.
        var all: [ObjectIdentifier: Flight] = [:]
        var isClosed = false
    }

    enum Joining {
        case joined
        /// The caller flies it.
        case began(Flight)
        case closed
    }

    private let state = Monitor(State())

    var count: Int { state.withLock { $0.all.count } }

    /// Joins the flight of this key, or begins one, for all of them at once: a flight that fails
    /// quickly must not leave some of them behind. A flight that ignores its deadline is replaced,
    /// and so is one that began before `notBefore`.
    /// - Parameters:
    ///   - waiters: with one key, at least one.
    ///   - begin: makes a flight for the first of them.
    func join(
        _ waiters: [FlightWaiter], notBefore: MonotonicTime?, begin: (FlightWaiter) -> Flight
    ) -> Joining {
        let key = Key(bytes: waiters[0].question.key)
        return state.change { state in
            if state.isClosed { return .closed }
            if let flight = state.flights[key], !flight.order.isCancelled,
                notBefore.map({ flight.startedAt >= $0 }) ?? true
            {
                flight.waiters += waiters.map { $0.following() }
                flight.order.noteOthers()
                return .joined
            }
            let flight = begin(waiters[0])
            flight.waiters += waiters.dropFirst().map { $0.following() }
            state.flights[key] = flight
            state.all[ObjectIdentifier(flight)] = flight
            return .began(flight)
        }
    }

    /// Watches over a flight that nobody may join.
    /// - Returns: false once the table is closed.
    func add(_ flight: Flight) -> Bool {
        state.change { state in
            if state.isClosed { return false }
            state.all[ObjectIdentifier(flight)] = flight
            return true
        }
    }

    /// Whether the flight has ended: it was published, or given up.
    func isOver(_ flight: Flight) -> Bool { state.withLock { _ in flight.isOver } }

    /// Ends the flight: unlinks it and gives its waiters back.
    /// - Returns: nil if it was over already.
    func end(_ flight: Flight) -> [FlightWaiter]? {
        state.withLock { state in FlightTable.end(flight, &state) }
    }

    /// Unlinks flights, so that no later question joins them; they go on for who waits.
    func unlinkAll() { state.withLock { $0.flights = [:] } }

    /// Waiters whose time is over, taken from their flights; and flights whose time is over, ended.
    func overdue(
        at now: MonotonicTime
    ) -> (waiters: [FlightWaiter], flights: [(Flight, [FlightWaiter])]) {
        state.withLock { state in
            var late: [FlightWaiter] = []
            var ended: [(Flight, [FlightWaiter])] = []
            for flight in Array(state.all.values) {
                if flight.order.deadline.time <= now {
                    if let waiters = FlightTable.end(flight, &state) {
                        ended.append((flight, waiters))
                    }
                    continue
                }
                guard flight.waiters.contains(where: { $0.isLate(now) }) else { continue }
                late += flight.waiters.filter { $0.isLate(now) }
                flight.waiters.removeAll { $0.isLate(now) }
            }
            return (late, ended)
        }
    }

    /// Waits until there is a flight, the table is closed, or `deadline` has passed.
    func waitForFlights(until deadline: Deadline) {
        _ = state.wait(
            until: deadline, for: { !$0.all.isEmpty || $0.isClosed }, then: { _ in })
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Refuses later questions.
    /// - Returns: every waiter that is still there.
    func close() -> [FlightWaiter] {
        state.change { state in
            state.isClosed = true
            return Array(state.all.values).flatMap { flight in
                flight.order.cancel()
                return FlightTable.end(flight, &state) ?? []
            }
        }
    }

    private static func end(_ flight: Flight, _ state: inout State) -> [FlightWaiter]? {
        if flight.isOver { return nil }
        flight.isOver = true
        state.all[ObjectIdentifier(flight)] = nil
        let key = Key(bytes: flight.key)
        if state.flights[key] === flight { state.flights[key] = nil }
        defer { flight.waiters = [] }
        return flight.waiters
    }
}

extension FlightWaiter {
    /// As one that joins another's flight.
    fileprivate func following() -> FlightWaiter {
        FlightWaiter(
            question: question, arrivedAt: arrivedAt, compute: compute, completion: completion,
            isLeader: false, fallback: fallback, attempts: attempts)
    }

    fileprivate func isLate(_ now: MonotonicTime) -> Bool {
        completion != nil && question.deadline.time <= now
    }
}
