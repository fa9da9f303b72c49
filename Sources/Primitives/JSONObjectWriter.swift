/// Writes a JSON object member by member: for reports, where brevity counts more than speed.
package struct JSONObjectWriter: ~Copyable {
    private var buffer: ByteBuffer
    private var isFirst = true

    package init() {
        buffer = ByteBuffer(capacity: 1024)
        buffer.append("{")
    }

    package mutating func add(_ name: String, _ value: String) {
        key(name)
        buffer.append(jsonString: value)
    }

    package mutating func add(_ name: String, _ value: some BinaryInteger) {
        key(name)
        buffer.append(decimal: value)
    }

    package mutating func add(_ name: String, _ value: Double) {
        key(name)
        buffer.append(json: value)
    }

    package mutating func add(_ name: String, _ value: Bool) {
        key(name)
        buffer.append(value ? "true" : "false")
    }

    package mutating func add(_ name: String, _ values: [Int]) {
        add(name, values) { $0.append(decimal: $1) }
    }

    package mutating func add(_ name: String, _ values: [String]) {
        add(name, values) { $0.append(jsonString: $1) }
    }

    private mutating func add<Value>(
        _ name: String, _ values: [Value], _ write: (inout ByteBuffer, Value) -> Void
    ) {
        key(name)
        buffer.append("[")
        for (index, value) in values.enumerated() {
            if index > 0 { buffer.append(",") }
            write(&buffer, value)
        }
        buffer.append("]")
    }

    package mutating func object(_ name: String, _ body: (inout JSONObjectWriter) -> Void) {
        key(name)
        buffer.append("{")
        isFirst = true
        body(&self)
        isFirst = false
        buffer.append("}")
    }

    package mutating func addNull(_ name: String) {
        key(name)
        buffer.append("null")
    }

    /// An array of objects, one for each of `items`.
    package mutating func array<Item>(
        _ name: String, of items: [Item], _ body: (inout JSONObjectWriter, Item) -> Void
    ) {
        key(name)
        buffer.append("[")
        for (index, item) in items.enumerated() {
            buffer.append(index == 0 ? "{" : ",{")
            isFirst = true
            body(&self, item)
            buffer.append("}")
        }
        isFirst = false
        buffer.append("]")
    }

    package consuming func finish() -> ByteBuffer {
        buffer.append("}\n")
        return buffer
    }

    private mutating func key(_ name: String) {
        if !isFirst { buffer.append(",") }
        isFirst = false
        buffer.append(jsonString: name)
        buffer.append(":")
    }
}
