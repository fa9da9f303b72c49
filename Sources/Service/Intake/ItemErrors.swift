import Primitives

/// The refused items of one body, as an answer lists them.
struct ItemErrors: ~Copyable {
    /// Errors in one reply, as `openapi.yaml` has it.
    private static let limit = 100

    private(set) var count = 0
    private var list = ByteBuffer(capacity: 256)

    mutating func removeAll() {
        count = 0
        list.removeAll()
    }

    /// - Parameters:
    ///   - index: among the items of the body, from 0.
    ///   - line: of the body, from 1; nil where an item need not be a line.
    ///   - limit: the bound that was passed.
    mutating func add(index: Int, line: Int?, code: String, detail: String, limit: Int? = nil) {
        count += 1
        guard count <= ItemErrors.limit else { return }
        list.append(list.isEmpty ? #"[{"index":"# : #",{"index":"#)
        list.append(decimal: index)
        if let line {
            list.append(#","line":"#)
            list.append(decimal: line)
        }
        list.append(#","code":"#)
        list.append(jsonString: code)
        list.append(#","detail":"#)
        list.append(jsonString: detail)
        if let limit {
            list.append(#","limit":"#)
            list.append(decimal: limit)
        }
        list.append("}")
    }

    /// The list so far; nil without any.
    var json: Bytes? {
        guard count > 0 else { return nil }
        var whole = ByteBuffer(capacity: list.count + 1)
        whole.append(list.span)
        whole.append("]")
        return whole.freeze()
    }

    /// Ends the object `body` with the list of errors.
    /// - Parameters:
    ///   - errors: what `json` said.
    ///   - count: of all refused items.
    static func end(_ body: inout ByteBuffer, _ errors: Bytes?, count: Int) {
        body.append(#","errors":"#)
        if let errors { body.append(errors.span) } else { body.append("[]") }
        body.append(#","errors_truncated":"#)
        body.append(count > limit ? "true}\n" : "false}\n")
    }
}
