import Primitives

/// The header fields of one request, in the order they came. Reused from request to request.
package struct HeaderList: ~Copyable {
    private struct Field {
        var name: Range<Int>
        var value: Range<Int>
    }

    private var bytes = ByteBuffer(capacity: 512)
    private var fields: [Field] = []

    package init() {}

    package var count: Int { fields.count }
    /// The bytes of all names and values: what the header limit counts, four more for each line.
    package var totalBytes: Int { bytes.count + 4 * fields.count }

    package mutating func removeAll() {
        // A request that got a repeated reply has none, and emptying an array costs even then.
        if fields.isEmpty { return }
        bytes.removeAll()
        fields.removeAll(keepingCapacity: true)
    }

    package mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        let start = bytes.count
        bytes.append(name)
        let middle = bytes.count
        bytes.append(value)
        fields.append(Field(name: start..<middle, value: middle..<bytes.count))
    }

    package mutating func append(name: String, value: String) {
        var name = name
        var value = value
        name.withUTF8 { name in
            value.withUTF8 {
                append(name: UnsafeRawBufferPointer(name), value: UnsafeRawBufferPointer($0))
            }
        }
    }

    /// Name and value at `index`; valid until the list changes.
    package subscript(index: Int) -> (name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        let field = fields[index]
        return (
            UnsafeRawBufferPointer(rebasing: bytes.span[field.name]),
            UnsafeRawBufferPointer(rebasing: bytes.span[field.value])
        )
    }

    /// The first value of the field, its name compared without case; valid until the list changes.
    package func first(_ name: StaticString) -> UnsafeRawBufferPointer? {
        for field in fields where field.name.count == name.utf8CodeUnitCount {
            let candidate = UnsafeRawBufferPointer(rebasing: bytes.span[field.name])
            if candidate.isEqualIgnoringCase(to: name) {
                return UnsafeRawBufferPointer(rebasing: bytes.span[field.value])
            }
        }
        return nil
    }

    /// How many fields have that name.
    package func count(of name: StaticString) -> Int {
        var count = 0
        for field in fields where field.name.count == name.utf8CodeUnitCount {
            let candidate = UnsafeRawBufferPointer(rebasing: bytes.span[field.name])
            if candidate.isEqualIgnoringCase(to: name) { count += 1 }
        }
        return count
    }

    /// The value of the field if there is exactly one of that name.
    package func only(_ name: StaticString) -> UnsafeRawBufferPointer? {
        var found: UnsafeRawBufferPointer?
        for index in fields.indices where self[index].name.isEqualIgnoringCase(to: name) {
            guard found == nil else { return nil }
            found = self[index].value
        }
        return found
    }

    package func text(_ name: StaticString) -> String? {
        first(name).map { String(decoding: $0, as: UTF8.self) }
    }

    /// A list is taken apart on an event loop, where one of 30 KiB would hold up everybody else for
    /// milliseconds. Real clients send some ten items.
    static let listLimitBytes = 2 << 10
    private static let listLimitItems = 64

    /// The items of a list that came in one line or in several (RFC 9110, section 5.6.1), without white
    /// space around them and without empty ones.
    /// - Returns: nil if the list has more than 64 items or 2 KiB.
    package func items(_ name: StaticString) -> [String]? {
        var items: [String] = []
        var length = 0
        for field in fields where field.name.count == name.utf8CodeUnitCount {
            let candidate = UnsafeRawBufferPointer(rebasing: bytes.span[field.name])
            guard candidate.isEqualIgnoringCase(to: name) else { continue }
            length += field.value.count
            guard length <= HeaderList.listLimitBytes else { return nil }
            for item in bytes.span[field.value].split(separator: UInt8(ascii: ",")) {
                let text = UnsafeRawBufferPointer(rebasing: item).trimmed
                guard !text.isEmpty else { continue }
                guard items.count < HeaderList.listLimitItems else { return nil }
                items.append(String(decoding: text, as: UTF8.self))
            }
        }
        return items
    }

    /// The values of all fields of that name, in order.
    package func texts(_ name: StaticString) -> [String] {
        fields.compactMap { field in
            let candidate = UnsafeRawBufferPointer(rebasing: bytes.span[field.name])
            guard candidate.isEqualIgnoringCase(to: name) else { return nil }
            return String(
                decoding: UnsafeRawBufferPointer(rebasing: bytes.span[field.value]), as: UTF8.self)
        }
    }
}

extension UnsafeRawBufferPointer {
    /// ASCII letters compare without case.
    package func isEqualIgnoringCase(to text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in 0..<count where self[index] != text.utf8Start[index] {
            let a = self[index] | 0x20
            guard a == text.utf8Start[index] | 0x20, (0x61...0x7A).contains(a) else { return false }
        }
        return true
    }

    package func isEqual(to text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in 0..<count where self[index] != text.utf8Start[index] { return false }
        return true
    }

    package func hasPrefix(_ text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount
            && UnsafeRawBufferPointer(rebasing: self[..<text.utf8CodeUnitCount]).isEqual(to: text)
    }

    /// Without the spaces and tabs around it.
    package var trimmed: UnsafeRawBufferPointer {
        var slice = self[...]
        while let first = slice.first, first == 0x20 || first == 0x09 { slice.removeFirst() }
        while let last = slice.last, last == 0x20 || last == 0x09 { slice.removeLast() }
        return UnsafeRawBufferPointer(rebasing: slice)
    }
}
