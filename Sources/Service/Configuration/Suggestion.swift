/// What somebody may have meant by a name that does not exist.
enum Suggestion {
    /// The nearest candidate, if it is near: at most a quarter of its letters differ.
    static func nearest(to name: String, among candidates: [String]) -> String? {
        let ranked = candidates.map { (name: $0, distance: distance(name, $0)) }
        guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= max(2, best.name.count / 4) ? best.name : nil
    }

    /// Insertions, deletions and substitutions between two names (Levenshtein 1966), by rows.
    static func distance(_ a: String, _ b: String) -> Int {
        let b = Array(b.utf8)
        var previous = Array(0...b.count)
        for (row, letter) in a.utf8.enumerated() {
            var current = [row + 1]
            for (column, other) in b.enumerated() {
                let substituted = previous[column] + (letter == other ? 0 : 1)
                current.append(min(substituted, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[b.count]
    }
}
