import Primitives

/// The questions of one trace, or those of one caller in the last seconds.
struct QuestionSession {
    private(set) var streaks: [QuestionStreak] = []
    private var last: (fingerprint: UInt64, question: ObservedQuestion)?
    private var began: MonotonicTime
    /// Its memory, estimated.
    private(set) var byteCount = 256

    /// Shapes that are tracked at the same time.
    private static let streakLimit = 6
    /// Without a trace, questions that lie further apart are not compared.
    private static let window = Duration.seconds(10)

    init(began: MonotonicTime) { self.began = began }

    /// Adds a question.
    /// - Returns: the streak that it belongs to, and whether the streak is reported from this question
    ///   on.
    mutating func take(
        _ question: ObservedQuestion, _ shape: QuestionShape
    ) -> (streak: QuestionStreak, isNew: Bool) {
        if question.context == .caller, question.began.since(began) > QuestionSession.window {
            self = QuestionSession(began: question.began)
        }
        defer { last = (shape.fingerprint, question) }
        var streak = follow(question, shape)
        let kind = streak.kind
        let isNew = kind != nil && streak.reported == nil
        if isNew { streak.reported = kind }
        // The newest comes last, so that the oldest makes room.
        streaks.append(streak)
        if streaks.count > QuestionSession.streakLimit { streaks.removeFirst() }
        byteCount = streaks.reduce(256 + question.byteCount) { $0 + $1.byteCount }
        return (streak, isNew)
    }

    /// The streak that the question belongs to, taken out of `streaks`, with the question.
    private mutating func follow(
        _ question: ObservedQuestion, _ shape: QuestionShape
    ) -> QuestionStreak {
        if let index = streaks.firstIndex(where: { $0.fingerprint == shape.fingerprint }) {
            var streak = streaks.remove(at: index)
            if streak.take(question, shape) { return streak }
        }
        let before = last.flatMap { $0.fingerprint == shape.fingerprint ? nil : $0.question }
        return QuestionStreak(question, shape, precededBy: before)
    }
}
