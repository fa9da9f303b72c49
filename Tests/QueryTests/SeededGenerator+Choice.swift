import TestSupport

extension SeededGenerator {
    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &self)]
    }

    /// At most `most` of `elements`, in any order.
    mutating func some<Element>(_ elements: [Element], _ most: Int) -> [Element] {
        Array(elements.shuffled(using: &self).prefix(Int.random(in: 0...most, using: &self)))
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}
