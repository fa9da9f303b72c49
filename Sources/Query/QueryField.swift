import Primitives

/// What a metric, a group or a condition looks at: an attribute of the event or a path into its
/// `data`.
package struct QueryField: Hashable, Sendable {
    package enum Place: Hashable, Sendable {
        case time, type, source, subject, id
        case data(QueryPath)
    }

    private let exactName: ExactText
    package let place: Place

    /// As the client wrote it; columns carry this name.
    package var name: String { exactName.text }
    package var isData: Bool { if case .data = place { true } else { false } }
    /// A column that is NULL when the event has no such value.
    package var isOptional: Bool { isData || place == .subject }

    /// What its values are; nil for a path, whose values are whatever was sent.
    var type: QueryResult.ColumnType? {
        switch place {
        case .time: .time
        case .type, .source, .subject, .id: .text
        case .data: nil
        }
    }

    private init(_ name: String, _ place: Place) {
        exactName = ExactText(name)
        self.place = place
    }

    /// Reads `text`; `parameter` is named in the error. An attribute's name always means the
    /// attribute.
    static func parse(_ text: some StringProtocol, for parameter: String) throws(QueryError)
        -> QueryField
    {
        let name = String(text)
        switch name {
        case "time": return QueryField(name, .time)
        case "type": return QueryField(name, .type)
        case "source": return QueryField(name, .source)
        case "subject": return QueryField(name, .subject)
        case "id": return QueryField(name, .id)
        default: break
        }
        guard let path = QueryPath(name) else {
            throw .invalid(
                parameter,
                "must name an attribute (type source subject time id) or a path into data: at most "
                    + "\(QueryPath.segmentLimit) segments joined by dots, each of 1 to "
                    + "\(QueryPath.segmentLimitBytes) bytes without control characters, quotation "
                    + "marks and backslashes")
        }
        return QueryField(name, .data(path))
    }
}
