/// One parameter of a request: its name, and the elements of its value read as a comma list.
///
/// A list is split before it is percent-decoded, so `order%2Cpaid,signup` has the two elements
/// `order,paid` and `signup`. A parameter that takes no list reads `value`, where a comma is a
/// comma however it was sent. An element of a JSON array is one element, whatever it holds.
package struct Parameter: Sendable, Equatable {
    package let name: String
    /// Decoded; empty ones too, and never none.
    package private(set) var elements: [String]

    /// - Parameter elements: at least one.
    package init(name: String, elements: [String]) {
        precondition(!elements.isEmpty)
        self.name = name
        self.elements = elements
    }

    /// A parameter whose value is one element, commas included.
    package init(name: String, value: String) { self.init(name: name, elements: [value]) }

    /// The whole value, decoded.
    package var value: String {
        elements.count == 1 ? elements[0] : elements.joined(separator: ",")
    }

    /// Adds what the same parameter says when it is repeated: `type=a&type=b` is `type=a,b`.
    package mutating func append(_ other: Parameter) { elements += other.elements }
}
