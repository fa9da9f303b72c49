/// One figure over all rounds.
struct FigureSummary {
    let name: String
    let unit: Figure.Unit
    /// In the order of the rounds; at least one.
    private(set) var values: [Double]

    init(_ first: Figure) {
        name = first.name
        unit = first.unit
        values = [first.value]
    }

    mutating func add(_ value: Double) { values.append(value) }

    /// The middle value, or the mean of the two in the middle.
    var median: Double {
        let sorted = values.sorted()
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
    var minimum: Double { values.min() ?? 0 }
    var maximum: Double { values.max() ?? 0 }
}
