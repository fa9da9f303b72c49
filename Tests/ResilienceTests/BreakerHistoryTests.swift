import Primitives
import Resilience
import Testing

/// One breaker and its model, walked through the same random history.
struct BreakerHistory {
    let breaker: CircuitBreaker
    var model: BreakerModel
    var now = MonotonicTime(nanoseconds: 3_600_000_000_000)
    var pending: [(real: BreakerPermit, modelled: BreakerModel.Permit)] = []
    var random: SeededRandom
    /// Chances of this history, so that some see floods and some see trickles.
    let longestStepMilliseconds: Int
    let failurePercent: Int
    var modes: Set<BreakerMode> = []
    /// The first disagreement.
    var complaint: String?

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        let options = BreakerOptions()
        breaker = CircuitBreaker(name: "test", options: options, seed: seed, at: now)
        model = BreakerModel(options)
        longestStepMilliseconds = [2, 60, 150, 900, 4000].randomElement(using: &random) ?? 2
        failurePercent = [0, 10, 45, 70, 100].randomElement(using: &random) ?? 0
    }

    mutating func run(steps: Int) {
        for step in 0..<steps where complaint == nil {
            now = now + .milliseconds(Int.random(in: 0...longestStepMilliseconds, using: &random))
            let name = act()
            check(after: "step \(step), \(name)")
            modes.insert(model.mode)
        }
    }

    private mutating func act() -> String {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<45: return admit()
        case 45..<85: return finish()
        case 85..<88: return giveBack()
        case 88..<97: return probe()
        case 97: return control()
        default:
            model.tick(at: now)
            return "nothing"
        }
    }

    private mutating func admit() -> String {
        let real = breaker.admit(at: now)
        let modelled = model.admit(at: now)
        if let real, let modelled { pending.append((real, modelled)) }
        if (real == nil) != (modelled == nil) {
            complaint = "admit: \(real == nil ? "refused" : "admitted"), the model did not agree"
        }
        return "admit"
    }

    private mutating func finish() -> String {
        guard !pending.isEmpty else { return "nothing" }
        let call = pending.remove(at: Int.random(in: 0..<pending.count, using: &random))
        let isFailure = Int.random(in: 0..<100, using: &random) < failurePercent
        let outcome: BreakerOutcome =
            isFailure ? (Bool.random(using: &random) ? .failure : .connectionFailure) : .success
        breaker.record(call.real, outcome, at: now)
        model.record(call.modelled, outcome, at: now)
        return "record \(outcome)"
    }

    private mutating func giveBack() -> String {
        guard let call = pending.popLast() else { return "nothing" }
        breaker.giveBack(call.real)
        model.giveBack(call.modelled)
        return "give back"
    }

    private mutating func probe() -> String {
        model.tick(at: now)
        guard let generation = breaker.probeDue(at: now) else { return "nothing" }
        let isHealthy = Bool.random(using: &random)
        breaker.finishProbe(generation, isHealthy: isHealthy, at: now)
        if model.mode == .open {
            model.probed(isHealthy: isHealthy, at: now)
        } else {
            complaint = "a probe was due in mode \(model.mode)"
        }
        return "probe \(isHealthy)"
    }

    private mutating func control() -> String {
        let control = BreakerControl.allCases.randomElement(using: &random) ?? .automatic
        breaker.apply(control, at: now)
        model.apply(control)
        return "control \(control)"
    }

    private mutating func check(after step: String) {
        model.tick(at: now)
        let real = breaker.snapshot(at: now)
        guard complaint == nil else { return }
        if real.mode != model.mode {
            complaint = "\(step): \(real.mode), the model says \(model.mode)"
        } else if real.openedCount != model.openedCount || real.refusedCount != model.refusedCount {
            complaint = "\(step): opened or refused \(real), the model says \(model)"
        } else if real.mode == .closed, real.failureRate != model.failureRate(at: now) {
            complaint =
                "\(step): failure rate \(real.failureRate) of \(real.callCount), the model says"
                + " \(model.failureRate(at: now)) of \(model.recent(at: now).count)"
        } else if real.mode == .open, real.retryAfter > .zero {
            let openTime = (now + real.retryAfter).since(model.openedOrProbedAt).inSeconds
            if !model.openTimeBounds().contains(openTime) {
                complaint = "\(step): open for \(openTime) s, allowed \(model.openTimeBounds())"
            }
        }
    }
}

struct BreakerHistoryTests {
    /// Set `first` to a printed seed to see one history again.
    @Test func `does what a simple model does in 12,000 random histories`() {
        let first = UInt64.random(in: 0..<1 << 40)
        print("breaker histories start at seed \(first)")
        var modes: [BreakerMode: Int] = [:]
        for seed in first..<first + 12_000 {
            var history = BreakerHistory(seed: seed)
            history.run(steps: 80)
            if let complaint = history.complaint {
                Issue.record("seed \(seed): \(complaint)")
                return
            }
            for mode in history.modes { modes[mode, default: 0] += 1 }
        }
        // Histories that never leave `closed` would prove nothing.
        for mode in BreakerMode.allCases {
            #expect(modes[mode, default: 0] > 300, "\(mode) was seen in \(modes)")
        }
    }
}
