import HTTPServer
import Primitives
import Telemetry

/// Says who sends a request, by the key in its `Authorization`, and whether that key may use the
/// route. Called on the event loops with the header complete.
final class KeyAuthorizer: Sendable {
    /// A loop's own copy of the ring, so that loops share no lock and no reference count.
    private final class LoopState: @unchecked Sendable {  // Touched by its event loop alone.
        var ring = KeyRing.empty
        var version: UInt64 = 0
    }

    private let keeper: KeyKeeper
    private let audit: AuditLog
    private let loops: [LoopState]
    private let counters = KeyRefusal.allCases.map { _ in Counter() }
    private let quotaCounters = Quota.Kind.allCases.map { _ in Counter() }

    init(keeper: KeyKeeper, audit: AuditLog, loops: Int) {
        self.keeper = keeper
        self.audit = audit
        self.loops = (0..<loops).map { _ in LoopState() }
    }

    /// Requests that were refused for a reason, since start.
    func refused(_ reason: KeyRefusal) -> UInt64 {
        zip(KeyRefusal.allCases, counters).first { $0.0 == reason }?.1.count ?? 0
    }

    /// Requests that were refused for a quota of their key, since start.
    func refused(over quota: Quota.Kind) -> UInt64 {
        zip(Quota.Kind.allCases, quotaCounters).first { $0.0 == quota }?.1.count ?? 0
    }

    /// Whether a caller that was let in before would be again. Any thread.
    func isValid(_ principal: Principal) -> Bool {
        keeper.ring.isValid(principal, at: WallClock.nowMilliseconds())
    }

    /// Costs a hash of the key and a look into a table: under a microsecond.
    func authorize(_ request: Request, _ access: Access) throws(Problem) -> Principal {
        if access == .public { return .anonymous }
        let scope: String? = if case .scope(let scope) = access { scope } else { nil }
        let key = try key(of: request, scope)
        let now = WallClock.nowMilliseconds()
        guard !key.record.isExpired(at: now) else {
            throw refuse(request, .expired, key, scope)
        }
        if let scope, !key.principal.scopes.contains(scope) {
            throw refuse(request, .scope, key, scope)
        }
        key.noteUse(at: now)
        try admit(request, access, key)
        if access == .admin, request.method != .get, request.method != .head {
            audit.adminAction(request, key: key.record.name)
        }
        return key.principal
    }

    /// Takes the request from the key's quota.
    /// - Throws: a 429 if there is none left.
    private func admit(_ request: Request, _ access: Access, _ key: Key) throws(Problem) {
        guard let quota = key.principal.quota,
            let refusal = quota.admit(sendsEvents: access == .eventsWrite, at: .now())
        else { return }
        for (kind, counter) in zip(Quota.Kind.allCases, quotaCounters) where kind == refusal.kind {
            counter.add()
        }
        audit.refused(request, key: key.record.name, reason: refusal.problem.code)
        throw refusal.problem
    }

    /// Whether a caller whose header was judged a moment ago would be let in again: its key is still
    /// there, has not expired, and has some of its quota left, of which the request is taken.
    func readmit(_ principal: Principal, _ access: Access, loop index: Int) -> Bool {
        if access == .public { return true }
        let now = WallClock.nowMilliseconds()
        guard let key = ring(loop: index).key(of: principal), !key.record.isExpired(at: now) else {
            return false
        }
        key.noteUse(at: now)
        // A request with a body is never one of these, so it sends no events.
        return key.principal.quota?.admit(sendsEvents: false, at: .now()) == nil
    }

    private func key(of request: Request, _ scope: String?) throws(Problem) -> Key {
        guard let field = request.headers.first("authorization") else {
            throw refuse(request, .missing, nil, scope)
        }
        guard request.headers.count(of: "authorization") == 1 else {
            throw refuse(request, .malformed, nil, scope)
        }
        guard let token = KeyAuthorizer.token(field) else {
            throw refuse(request, .missing, nil, scope)
        }
        guard !token.isEmpty else { throw refuse(request, .malformed, nil, scope) }
        guard let key = ring(loop: request.loopIndex).key(token) else {
            throw refuse(request, .unknown, nil, scope)
        }
        return key
    }

    /// What follows `Bearer`, written in any case; nil for another scheme.
    private static func token(_ field: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let scheme: StaticString = "bearer"
        let length = scheme.utf8CodeUnitCount
        guard field.count >= length,
            UnsafeRawBufferPointer(rebasing: field[..<length]).isEqualIgnoringCase(to: scheme)
        else { return nil }
        let rest = UnsafeRawBufferPointer(rebasing: field[length...])
        guard rest.isEmpty || rest[0] == UInt8(ascii: " ") else { return nil }
        return rest.trimmed
    }

    private func ring(loop index: Int) -> KeyRing {
        guard loops.indices.contains(index) else { return keeper.ring }
        let loop = loops[index]
        // The version is read before the ring: one that is replaced in between is read again next
        // time, and never kept too long.
        let version = keeper.ringVersion
        if loop.version != version {
            loop.ring = keeper.ring
            loop.version = version
        }
        return loop.ring
    }

    private func refuse(
        _ request: Request, _ reason: KeyRefusal, _ key: Key?, _ scope: String?
    ) -> Problem {
        for (candidate, counter) in zip(KeyRefusal.allCases, counters) where candidate == reason {
            counter.add()
        }
        audit.refused(request, key: key?.record.name, reason: reason.rawValue)
        return reason.problem(scope: scope)
    }
}
