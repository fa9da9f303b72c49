/// What came of one benchmark.
struct BenchmarkResult {
    struct Side {
        let name: String
        /// In the order in which the side told them.
        var figures: [FigureSummary] = []
    }

    let name: String
    /// Empty if it failed: figures that do not hold are not shown.
    private(set) var sides: [Side] = []
    private(set) var failure: BenchFailure?

    init(name: String) { self.name = name }

    mutating func add(_ figures: [Figure], to side: String) {
        let place = sides.firstIndex { $0.name == side } ?? sides.count
        if place == sides.count { sides.append(Side(name: side)) }
        for figure in figures {
            if let known = sides[place].figures.firstIndex(where: { $0.name == figure.name }) {
                sides[place].figures[known].add(figure.value)
            } else {
                sides[place].figures.append(FigureSummary(figure))
            }
        }
    }

    mutating func fail(_ failure: BenchFailure) {
        sides = []
        self.failure = failure
    }
}
