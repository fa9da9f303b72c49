/// What somebody may have meant by a name that does not exist.
enum Suggestion {
    /// The nearest candidate, if it is near: a quarter of the letters may differ, and one always.
    static func nearest(to name: String, among candidates: [String]) -> String? {
        let ranked = candidates.map { (name: $0, distance: distance(name, $0)) }
        guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
        let length = min(name.count, best.name.count)
        return best.distance <= max(1, length / 4) ? best.name : nil
    }

    /// Insertions, deletions, substitutions and exchanges of neighbours between two names (optimal
    /// string alignment, after Damerau 1964), by rows.
    static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        var last: [Int] = []
        var previous = Array(0...b.count)
        for (row, letter) in a.enumerated() {
            var current = [row + 1]
            for (column, other) in b.enumerated() {
                let substituted = previous[column] + (letter == other ? 0 : 1)
                var least = min(substituted, previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, letter == b[column - 1], a[row - 1] == other {
                    least = min(least, last[column - 1] + 1)
                }
                current.append(least)
            }
            (last, previous) = (previous, current)
        }
        return previous[b.count]
    }
}
