import HTTPServer
import Primitives

extension Response {
    /// A part of a list: `{"NAME":[...],"next":...}`.
    /// - Parameters:
    ///   - next: the cursor of what follows; nil at the end.
    ///   - append: writes one row as a JSON object.
    static func page<Row>(
        _ name: StaticString, _ rows: some Collection<Row>, next: String?,
        _ append: (Row, inout ByteBuffer) -> Void
    ) -> Response {
        var body = ByteBuffer(capacity: 512 * (rows.count + 1))
        body.append(#"{""#)
        body.append(name)
        body.append(#"":["#)
        var isFirst = true
        for row in rows {
            if !isFirst { body.append(",") }
            isFirst = false
            append(row, &body)
        }
        body.append(#"],"next":"#)
        body.append(jsonStringOrNull: next)
        body.append("}\n")
        return .json(200, body)
    }

    /// The first `limit` of `rows`, of which one more was read to know whether any follow. The
    /// cursor is the number of the last one.
    static func page<Row>(
        _ name: StaticString, _ rows: [Row], limit: Int, number: (Row) -> Int64,
        _ append: (Row, inout ByteBuffer) -> Void
    ) -> Response {
        let next = rows.count > limit ? "\(number(rows[limit - 1]))" : nil
        return page(name, rows.prefix(limit), next: next, append)
    }
}
