import Primitives
import Resilience

/// What a breaker must do, written the slow and obvious way: every call since the last change is
/// kept, and each question is answered by looking at all of them.
struct BreakerModel {
    struct Call {
        let bucket: UInt64
        let isFailure: Bool
        let isSlow: Bool
    }

    struct Permit {
        let id: Int
        let generation: Int
        let startedAt: MonotonicTime
    }

    let options: BreakerOptions
    var mode = BreakerMode.closed
    var generation = 0
    var openedCount: UInt64 = 0
    var refusedCount: UInt64 = 0
    /// Openings since it was last closed; the probe's time is asked of the breaker, as jitter is
    /// its own affair, and checked to lie within the bounds for this number.
    var openingsInARow = 0
    var openedOrProbedAt = MonotonicTime(nanoseconds: 0)
    private var calls: [Call] = []
    private var row = 0
    private var leases: [(id: Int, end: MonotonicTime)] = []
    private var successes = 0
    private var nextId = 0

    init(_ options: BreakerOptions) { self.options = options }

    func bucket(_ time: MonotonicTime) -> UInt64 {
        time.nanoseconds
            / (UInt64(options.window.wholeNanoseconds) / UInt64(options.bucketCount))
    }

    func recent(at now: MonotonicTime) -> [Call] {
        calls.filter { $0.bucket + UInt64(options.bucketCount) > bucket(now) }
    }

    func failureRate(at now: MonotonicTime) -> Double {
        let recent = recent(at: now)
        return recent.isEmpty
            ? 0 : Double(recent.filter(\.isFailure).count) / Double(recent.count)
    }

    func openTimeBounds() -> ClosedRange<Double> {
        var nominal = options.firstOpen.inSeconds
        for _ in 1..<max(openingsInARow, 1) { nominal *= 2 }
        nominal = min(nominal, options.longestOpen.inSeconds)
        return nominal * (1 - options.jitter) - 1e-6...nominal * (1 + options.jitter) + 1e-6
    }

    mutating func tick(at now: MonotonicTime) {
        if mode == .halfOpen, leases.contains(where: { $0.end <= now }) { open(at: now) }
    }

    mutating func admit(at now: MonotonicTime) -> Permit? {
        tick(at: now)
        switch mode {
        case .closed, .disabled: break
        case .halfOpen where leases.count < options.permitLimit:
            leases.append((nextId, now + options.leaseTime))
        default:
            refusedCount += 1
            return nil
        }
        defer { nextId += 1 }
        return Permit(id: nextId, generation: generation, startedAt: now)
    }

    mutating func record(_ permit: Permit, _ outcome: BreakerOutcome, at now: MonotonicTime) {
        tick(at: now)
        guard permit.generation == generation else { return }
        let isSlow = now.since(permit.startedAt) > options.slowAfter
        if mode == .closed {
            row = outcome == .connectionFailure ? row + 1 : 0
            calls.append(
                Call(bucket: bucket(now), isFailure: outcome != .success, isSlow: isSlow))
            if outcome != .success || isSlow { tripIfNeeded(at: now) }
        } else if mode == .halfOpen {
            leases.removeAll { $0.id == permit.id }
            if outcome != .success || isSlow { return open(at: now) }
            successes += 1
            if successes == options.successesToClose { close() }
        }
    }

    mutating func giveBack(_ permit: Permit) {
        if permit.generation == generation { leases.removeAll { $0.id == permit.id } }
    }

    mutating func probed(isHealthy: Bool, at now: MonotonicTime) {
        if isHealthy {
            enter(.halfOpen)
        } else {
            openingsInARow += 1
            openedOrProbedAt = now
        }
    }

    mutating func apply(_ control: BreakerControl) {
        switch (control, mode) {
        case (.forcedOpen, .forcedOpen), (.disabled, .disabled): break
        case (.forcedOpen, _): enter(.forcedOpen)
        case (.disabled, _): enter(.disabled)
        case (.automatic, .forcedOpen), (.automatic, .disabled): close()
        case (.automatic, _): break
        }
    }

    private mutating func tripIfNeeded(at now: MonotonicTime) {
        let recent = recent(at: now)
        let slowRate = Double(recent.filter(\.isSlow).count) / Double(recent.count)
        let isBusy = recent.count >= options.minimumCalls
        let isFailing = failureRate(at: now) >= options.failureRateLimit
        if row >= options.connectionFailureLimit
            || isBusy && (isFailing || slowRate >= options.slowRateLimit)
        {
            open(at: now)
        }
    }

    private mutating func open(at now: MonotonicTime) {
        openingsInARow += 1
        openedCount += 1
        openedOrProbedAt = now
        enter(.open)
    }

    private mutating func close() {
        openingsInARow = 0
        row = 0
        calls = []
        enter(.closed)
    }

    private mutating func enter(_ mode: BreakerMode) {
        self.mode = mode
        generation += 1
        leases = []
        successes = 0
    }
}
