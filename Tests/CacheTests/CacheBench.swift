@testable import Cache
import Primitives
import Redis
import TestSupport

/// A cache and something that computes answers as a test wants it to.
final class CacheBench: Sendable {
    let cache: AnswerCache
    let source: AnswerSource

    init(
        shared: RedisTier? = nil, source: AnswerSource = AnswerSource(),
        _ change: (inout CacheOptions) -> Void = { _ in }
    ) {
        var options = CacheOptions()
        options.memoryBytes = 8 << 20
        options.leastCost = .zero
        change(&options)
        cache = AnswerCache(options, shared: shared)
        self.source = source
        cache.start()
    }

    func stop() {
        source.release()
        source.finishHanging()
        cache.stop()
        source.join()
    }

    func ask(
        _ key: String, mode: CacheMode = .use, within limit: Duration = .seconds(60),
        _ change: (inout CacheQuestion) -> Void = { _ in }
    ) -> CacheCall {
        var question = CacheQuestion(key: Bytes(key), deadline: .after(limit))
        question.mode = mode
        question.tags = [CacheContent.tag("tag")]
        question.present = source.isStamped ? source.present : nil
        change(&question)
        let call = CacheCall()
        cache.answer(
            question,
            compute: { [source] order, done in source.compute(key, order, done) },
            completion: { call.finish($0) })
        return call
    }

    /// Repeats `condition` until it holds.
    func wait(_ condition: () throws -> Bool) throws {
        let deadline = Deadline.after(.seconds(60))
        while try !condition() {
            guard !deadline.hasPassed else { throw TestError("the condition never held") }
            sleep(until: .after(.milliseconds(5)))
        }
    }
}

/// What one question comes to.
final class CacheCall: Sendable {
    private let result: Monitor<Result<CacheReply, CacheFailure>?> = Monitor(nil)

    func finish(_ result: Result<CacheReply, CacheFailure>) {
        self.result.change { before in
            precondition(before == nil, "told twice")
            before = result
        }
    }

    func reply() throws -> CacheReply {
        let result = result.wait(until: .after(.seconds(60)), for: { $0 != nil }, then: { $0 })
        guard let result, let result else { throw TestError("no answer") }
        return try result.get()
    }

    func text() throws -> String { try reply().entry.body?.text ?? "" }

    func failure() -> CacheFailure.Code? {
        do {
            _ = try reply()
            return nil
        } catch {
            return (error as? CacheFailure)?.code
        }
    }
}

/// Computes "KEY N" in the N-th run of all, on a thread each, once it is released.
final class AnswerSource: Sendable {
    private struct State {
        var runs = 0
        var held = 0
        var isReleased = false
        var failures: [CacheFailure.Code] = []
        var hangs = 0
        var hanging: [@Sendable () -> Void] = []
        var sawCancellation = false
        var generation: Int64 = 1
        var setHash: UInt64 = 1
        var lifetime = CacheLifetime.hundredSeconds
        var isStamped = true
        var padding = ""
        var threads: [Thread] = []
    }

    private let state = Monitor(State())

    var runs: Int { state.withLock { $0.runs } }
    var sawCancellation: Bool { state.withLock { $0.sawCancellation } }
    var failures: [CacheFailure.Code] {
        get { state.withLock { $0.failures } }
        set { state.withLock { $0.failures = newValue } }
    }
    /// So many of the next runs end only with `finishHanging`.
    var hangs: Int {
        get { state.withLock { $0.hangs } }
        set { state.withLock { $0.hangs = newValue } }
    }
    var lifetime: CacheLifetime {
        get { state.withLock { $0.lifetime } }
        set { state.withLock { $0.lifetime = newValue } }
    }
    var isStamped: Bool {
        get { state.withLock { $0.isStamped } }
        set { state.withLock { $0.isStamped = newValue } }
    }
    /// Follows the text, so that it is longer.
    var padding: String {
        get { state.withLock { $0.padding } }
        set { state.withLock { $0.padding = newValue } }
    }

    var present: PresentStamp {
        PresentStamp { [self] in
            state.withLock { GenerationStamp(count: $0.generation, setHash: $0.setHash) }
        }
    }

    /// The data changes.
    func change(setHash: UInt64? = nil) {
        state.withLock {
            $0.generation += 1
            $0.setHash = setHash ?? $0.setHash &+ 0x9E37_79B9
        }
    }

    func hold() { state.withLock { $0.isReleased = false } }
    func release() { state.change { $0.isReleased = true } }

    /// Waits until so many runs are held, those that were released not counted.
    func waitForHeld(_ count: Int) {
        _ = state.wait(
            until: .after(.seconds(60)), for: { $0.held >= count }, then: { _ in })
    }

    func finishHanging() {
        let hanging = state.withLock { state in
            defer { state.hanging = [] }
            return state.hanging
        }
        for finish in hanging { finish() }
    }

    func join() {
        let threads = state.withLock { state in
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { thread.join() }
    }

    func compute(
        _ key: String, _ order: FlightOrder, _ done: @escaping @Sendable (CacheComputation) -> Void
    ) {
        let thread = Thread(name: "source") { [self] in run(key, order, done) }
        state.withLock { $0.threads.append(thread) }
    }

    private func run(
        _ key: String, _ order: FlightOrder, _ done: @escaping @Sendable (CacheComputation) -> Void
    ) {
        let readAt = MonotonicTime.now()
        let (computation, hangs) = state.change { state -> (CacheComputation, Bool) in
            state.runs += 1
            state.held += 1
            if !state.failures.isEmpty {
                return (.failure(CacheFailure(state.failures.removeFirst())), false)
            }
            var content = CacheContent(body: Bytes("\(key) \(state.runs)\(state.padding)"))
            if state.isStamped {
                content.stamp = GenerationStamp(count: state.generation, setHash: state.setHash)
            }
            content.tags = [CacheContent.tag("tag")]
            let hangs = state.hangs > 0
            if hangs { state.hangs -= 1 }
            return (.answer(content, state.lifetime, at: readAt), hangs)
        }
        _ = state.wait(until: .after(.seconds(60)), for: { $0.isReleased }, then: { $0.held -= 1 })
        guard hangs else { return done(computation) }
        state.withLock { state in
            state.hanging.append { [self] in
                note(order)
                done(computation)
            }
        }
        _ = state.wait(
            until: .after(.milliseconds(500)), for: { _ in order.isCancelled }, then: { _ in })
        note(order)
    }

    private func note(_ order: FlightOrder) {
        if order.isCancelled { state.withLock { $0.sawCancellation = true } }
    }
}
