import SQLite

/// How a JSON value travels through SQL without losing its type.
///
/// `json_extract` turns `true` into 1 and `{"a":1}` into text, so neither could be told from a
/// number or a string afterwards. Here numbers and strings stay what they are, a boolean is a blob
/// of one byte, and an object or an array is its JSON text as a blob. JSON has no blobs, so nothing
/// collides; and SQLite's order (null, numbers, text, blobs) makes one comparison a type test:
/// `f < ''` is true for numbers alone, `f < x''` for numbers and text.
enum TypedValue {
    static let `true` = SQLValue.blob([1])
    static let `false` = SQLValue.blob([0])

    /// SQL for the value at `path` of the JSON in `column`; `bind` gives the parameter that stands
    /// for a value.
    static func expression(
        _ column: String, _ path: QueryPath, bind: (SQLValue) -> String
    ) -> String {
        let (first, steps) = path.sqlite
        let start = bind(.text(first))
        guard !steps.isEmpty else { return value(column, at: start) }
        // From container to container. A limit at each level keeps SQLite from merging them, which
        // would double the work with each number of the path.
        var found = "SELECT \(start) AS p"
        for step in steps {
            let element = bind(.text(step.element))
            let member = bind(.text(step.member))
            found =
                "SELECT p || CASE json_type(\(column), p) WHEN 'array' THEN \(element)"
                + " ELSE \(member) END AS p FROM (\(found)) LIMIT 1"
        }
        return "(SELECT \(value(column, at: "p")) FROM (\(found)) LIMIT 1)"
    }

    private static func value(_ column: String, at path: String) -> String {
        let value = "json_extract(\(column), \(path))"
        return "CASE json_type(\(column), \(path)) WHEN 'true' THEN x'01' WHEN 'false' THEN x'00'"
            + " WHEN 'object' THEN CAST(\(value) AS BLOB) WHEN 'array' THEN CAST(\(value) AS BLOB)"
            + " WHEN 'text' THEN CASE instr(\(column), '\\u0000') WHEN 0 THEN \(value)"
            + " ELSE \(textWithZero("\(column) -> \(path)")) END ELSE \(value) END"
    }

    /// SQL for the text that the JSON string `token` stands for. `json_extract` cuts it at U+0000, so
    /// this is for documents in which that may stand: to look for its escape in the whole of them is
    /// cheaper than to look for it in the value.
    ///
    /// So it reads a string in which U+0001 followed by a letter stands for each of the two, and
    /// the letters are resolved afterwards. Neither stands in JSON but as an escape; the backslashes
    /// that are escaped themselves are taken out of the way first.
    private static func textWithZero(_ token: String) -> String {
        let plain = #"replace(\#(token), '\\', '\u005c')"#
        let marked = #"replace(replace(\#(plain), '\u0001', '\u0001a'), '\u0000', '\u0001b')"#
        return "replace(replace(json_extract(\(marked), '$'), char(1) || 'b', char(0)),"
            + " char(1) || 'a', char(1))"
    }
}
