import Primitives

/// Consecutive questions of one shape within one trace that differ in one value at the most.
struct QuestionStreak {
    let fingerprint: UInt64
    /// The first of them.
    let first: ObservedQuestion
    /// The last question of another shape that came before it.
    let precededBy: ObservedQuestion?
    private let slots: [QuestionShape.Slot]
    private(set) var count = 1
    private(set) var total: Duration
    /// Questions that began before the previous one had ended.
    private var overlapping = 0
    private var lastEnd: MonotonicTime
    /// Which slot varies; nil while none does.
    private(set) var varying: Int?
    /// Hashes of the values of that slot, `distinctLimit` at the most.
    private var distinct: Set<Int> = []
    /// The values themselves, in the order of the questions.
    private(set) var values: [String] = []
    /// All values are in `values`.
    private(set) var hasAllValues = true
    /// The kind that it was reported as; nil if it was not.
    var reported: InsightKind?

    static let valueLimit = 100
    private static let valueLimitBytes = 128
    private static let distinctLimit = 1000
    /// A streak below either of these is not reported.
    static let leastCount = 5
    static let leastTotal = Duration.milliseconds(50)

    init(
        _ question: ObservedQuestion, _ shape: QuestionShape, precededBy: ObservedQuestion?
    ) {
        fingerprint = shape.fingerprint
        first = question
        slots = shape.slots
        total = question.ended.since(question.began)
        lastEnd = question.ended
        self.precededBy = precededBy
    }

    /// Its memory, estimated.
    var byteCount: Int {
        512 + first.byteCount + (precededBy?.byteCount ?? 0) + distinct.count * 16
            + values.reduce(0) { $0 + $1.utf8.count + 32 }
    }

    /// - Returns: false if the question differs in a second value, so that it begins another streak.
    mutating func take(_ question: ObservedQuestion, _ shape: QuestionShape) -> Bool {
        guard shape.slots.count == slots.count else { return false }
        let differing = slots.indices.filter {
            ExactText(slots[$0].value) != ExactText(shape.slots[$0].value)
        }
        guard differing.count <= 1 else { return false }
        if let slot = differing.first {
            if let varying, varying != slot { return false }
            if varying == nil {
                varying = slot
                note(slots[slot].value)
            }
        }
        if let varying { note(shape.slots[varying].value) }
        count += 1
        total += question.ended.since(question.began)
        if question.began < lastEnd { overlapping += 1 }
        lastEnd = max(lastEnd, question.ended)
        return true
    }

    private mutating func note(_ value: String) {
        let hash = ExactText(value).hashValue
        guard distinct.count < QuestionStreak.distinctLimit else { return hasAllValues = false }
        guard distinct.insert(hash).inserted else { return }
        if values.count < QuestionStreak.valueLimit,
            value.utf8.count <= QuestionStreak.valueLimitBytes
        {
            values.append(value)
        } else {
            hasAllValues = false
        }
    }

    /// The kind of its pattern; nil if it shows none.
    var kind: InsightKind? {
        guard count >= QuestionStreak.leastCount, total >= QuestionStreak.leastTotal else {
            return nil
        }
        if overlapping * 2 >= count { return .fanOut }
        guard varying != nil else { return .duplicates }
        // At least four of five questions have a new value.
        return distinct.count * 5 >= min(count, QuestionStreak.distinctLimit) * 4 ? .nPlusOne : nil
    }

    /// The slot that varies.
    var varyingSlot: QuestionShape.Slot? { varying.map { slots[$0] } }
}
