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

    /// SQL for the value at `path` (a bound parameter) of the JSON in `column`.
    static func expression(_ column: String, path: String) -> String {
        let value = "json_extract(\(column), \(path))"
        return "CASE json_type(\(column), \(path)) WHEN 'true' THEN x'01' WHEN 'false' THEN x'00'"
            + " WHEN 'object' THEN CAST(\(value) AS BLOB) WHEN 'array' THEN CAST(\(value) AS BLOB)"
            + " ELSE \(value) END"
    }
}
