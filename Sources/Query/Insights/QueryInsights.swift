import Primitives
import Telemetry

/// Finds callers that ask many questions where one would do: N+1, fan-out and duplicates.
///
///     let advice = insights.observe(question)     // where a question was computed; any thread
///     insights.countHit()                         // where memory answered
///
/// The questions of a trace (`traceparent`), or of a caller within 10 s, are grouped by fingerprint,
/// which leaves out the values that may vary. Five or more of one fingerprint that took 50 ms together
/// are reported: as N+1 if exactly one parameter varies and mostly has new values, as fan-out if they
/// overlap as well, as duplicates if nothing varies. Answers from memory cost too little to be
/// reported and are only counted.
///
/// Bounded: 1,024 traces and callers, 8 MiB of their questions, 256 insights.
package final class QueryInsights: Sendable {
    private struct Place: Hashable {
        let context: ObservedQuestion.Context
        let caller: String
    }

    private struct InsightKey: Hashable {
        let kind: InsightKind
        let fingerprint: UInt64
        let caller: String
    }

    private struct State {
        var sessions: [Place: QuestionSession] = [:]
        /// In the order of their beginning.
        var order: [Place] = []
        var byteCount = 0
        var insights: [InsightKey: Insight] = [:]
    }

    private static let sessionLimit = 1024
    private static let sessionBytes = 8 << 20
    private static let insightLimit = 256
    /// Longer questions are ignored.
    private static let questionLimitBytes = 4 << 10

    private let ignored: [InsightExemption]
    private let log: Logger
    private let state = Locked(State())
    private let hits = Counter()
    private let observed = Counter()
    private let reported: [InsightKind: Counter] = Dictionary(
        uniqueKeysWithValues: InsightKind.allCases.map { ($0, Counter()) })

    package init(ignoring ignored: [InsightExemption] = [], log: Logger) {
        self.ignored = ignored
        self.log = log
    }

    /// Forgets every question and what was found of them: they may name what has been erased.
    package func forget() {
        state.withLock { $0 = State() }
    }

    /// Counts a question that memory answered.
    package func countHit() { hits.add() }

    /// Questions that memory answered.
    package var hitCount: UInt64 { hits.count }
    /// Questions that were examined.
    package var observedCount: UInt64 { observed.count }
    /// Streaks that were reported as this kind.
    package func reportedCount(_ kind: InsightKind) -> UInt64 { reported[kind]?.count ?? 0 }

    /// The insights, the last seen first.
    /// - Parameter caller: only those of this caller; nil for all callers.
    package func insights(kind: InsightKind? = nil, caller: String? = nil) -> [Insight] {
        state.withLock { Array($0.insights.values) }
            .filter { (kind == nil || $0.kind == kind) && (caller == nil || $0.caller == caller) }
            .sorted { ($0.lastSeen, $0.fingerprint) > ($1.lastSeen, $1.fingerprint) }
    }

    /// Examines a question that was computed, before its response is sent.
    /// - Returns: the advice for the response, if this question completes a pattern.
    package func observe(_ question: ObservedQuestion) -> InsightAdvice? {
        guard question.byteCount <= QueryInsights.questionLimitBytes,
            let shape = QuestionShape(question)
        else { return nil }
        observed.add()
        let found = state.withLock { state -> (Insight, QuestionStreak)? in
            let (streak, isNew) = follow(question, shape, &state)
            guard let kind = streak.reported else { return nil }
            let isExempt = ignored.contains {
                $0.covers(streak.fingerprint, question.path, question.caller)
            }
            guard !isExempt else { return nil }
            let insight = update(kind, streak, question, isNew: isNew, &state)
            return isNew ? (insight, streak) : nil
        }
        guard let (insight, streak) = found else { return nil }
        reported[insight.kind]?.add()
        tell(insight, streak)
        return InsightAdvice(
            kind: insight.kind, parameter: insight.parameter,
            fingerprint: insight.fingerprintText, hint: InsightReplacement(streak)?.hint)
    }

    private func follow(
        _ question: ObservedQuestion, _ shape: QuestionShape, _ state: inout State
    ) -> (streak: QuestionStreak, isNew: Bool) {
        let place = Place(context: question.context, caller: question.caller)
        if state.sessions[place] == nil { state.order.append(place) }
        var session = state.sessions[place] ?? QuestionSession(began: question.began)
        let before = state.sessions[place]?.byteCount ?? 0
        let result = session.take(question, shape)
        state.sessions[place] = session
        state.byteCount += session.byteCount - before
        while state.order.count > QueryInsights.sessionLimit
            || (state.byteCount > QueryInsights.sessionBytes && state.order.count > 1)
        {
            let oldest = state.order.removeFirst()
            state.byteCount -= state.sessions.removeValue(forKey: oldest)?.byteCount ?? 0
        }
        return result
    }

    private func update(
        _ kind: InsightKind, _ streak: QuestionStreak, _ question: ObservedQuestion, isNew: Bool,
        _ state: inout State
    ) -> Insight {
        let key = InsightKey(
            kind: kind, fingerprint: streak.fingerprint, caller: question.caller)
        let now = WallClock.nowMilliseconds()
        var insight: Insight
        if let known = state.insights[key] {
            insight = known
            insight.occurrences += isNew ? 1 : 0
            insight.count += isNew ? streak.count : 1
            insight.total += isNew ? streak.total : question.ended.since(question.began)
        } else {
            insight = Insight(
                kind: kind, fingerprint: streak.fingerprint, caller: question.caller,
                path: question.path, parameter: streak.varyingSlot?.label, count: streak.count,
                total: streak.total, firstSeen: now, lastSeen: now)
            makeRoom(&state)
        }
        insight.lastSeen = now
        insight.samples = Array(streak.values.prefix(Insight.sampleLimit))
        insight.precededBy = streak.precededBy?.text
        insight.replacement = InsightReplacement(streak)?.url
        if case .trace(let trace) = question.context, !insight.traces.contains(trace) {
            insight.traces.append(trace)
            if insight.traces.count > Insight.traceLimit { insight.traces.removeFirst() }
        }
        state.insights[key] = insight
        return insight
    }

    private func makeRoom(_ state: inout State) {
        guard state.insights.count >= QueryInsights.insightLimit,
            let oldest = state.insights.min(by: { $0.value.lastSeen < $1.value.lastSeen })
        else { return }
        state.insights[oldest.key] = nil
    }

    private func tell(_ insight: Insight, _ streak: QuestionStreak) {
        log.notice("questions that one question could replace") {
            $0.add("kind", insight.kind.rawValue)
            $0.add("fingerprint", insight.fingerprintText)
            $0.add("caller", insight.caller)
            $0.add("path", insight.path)
            $0.add("parameter", insight.parameter ?? "")
            $0.add("count", streak.count)
            $0.add("total_ms", streak.total.wholeMilliseconds)
        }
    }
}
