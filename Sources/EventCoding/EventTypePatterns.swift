import Primitives

/// Event types that somebody is bound to: whole types, and with `*` at the end beginnings of types.
package struct EventTypePatterns: Sendable {
    private let exact: [[UInt8]]
    private let beginnings: [[UInt8]]

    /// - Parameter patterns: `order.paid`, `web.*`; none: all types match.
    package init(_ patterns: [String]) {
        exact = patterns.filter { !$0.hasSuffix("*") }.map { Array($0.utf8) }
        beginnings = patterns.filter { $0.hasSuffix("*") }.map { Array($0.dropLast().utf8) }
    }

    /// Whether there is anything to be bound to.
    package var isEmpty: Bool { exact.isEmpty && beginnings.isEmpty }

    package func match(_ type: UnsafeRawBufferPointer) -> Bool {
        isEmpty || exact.contains { type.elementsEqual($0) }
            || beginnings.contains { type.starts(with: $0) }
    }

    package func match(_ type: String) -> Bool {
        var type = type
        return type.withUTF8 { match(UnsafeRawBufferPointer($0)) }
    }
}
