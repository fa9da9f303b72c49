import Primitives

/// What a metric, a group or a condition looks at: an attribute of the event, a path into its
/// `data`, or one of its extensions.
package struct QueryField: Hashable, Sendable {
    package enum Place: Hashable, Sendable {
        case time, type, source, subject, id
        case data(QueryPath)
        case ext(QueryPath)
    }

    private let exactName: ExactText
    package let place: Place

    /// As the client wrote it; columns carry this name.
    package var name: String { exactName.text }
    /// It lies in JSON, so that its values have the kinds of JSON.
    package var isJSON: Bool {
        switch place {
        case .data, .ext: true
        case .time, .type, .source, .subject, .id: false
        }
    }
    /// A column that is NULL when the event has no such value.
    package var isOptional: Bool { isJSON || place == .subject }

    /// What its values are; nil for a path, whose values are whatever was sent.
    var type: QueryAnswer.ColumnType? {
        switch place {
        case .time: .time
        case .type, .source, .subject, .id: .text
        case .data, .ext: nil
        }
    }

    private init(_ name: String, _ place: Place) {
        exactName = ExactText(name)
        self.place = place
    }

    /// Reads `text`; `parameter` is named in the error. An attribute's name always means the
    /// attribute; `data.id` is the member of `data`.
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
        guard let place = place(name) else {
            throw .invalid(
                parameter,
                "must name an attribute (type source subject time id), a path into data or an "
                    + "extension (ext.name): at most \(QueryPath.segmentLimit) segments joined by "
                    + "dots, each of 1 to \(QueryPath.segmentLimitBytes) bytes without control "
                    + "characters, quotation marks and backslashes; a segment with dots, commas or "
                    + "colons stands in quotation marks")
        }
        return QueryField(name, place)
    }

    private static func place(_ name: String) -> Place? {
        for (prefix, isData) in [("data.", true), ("ext.", false)] where name.hasPrefix(prefix) {
            guard let path = QueryPath(Substring(name.utf8.dropFirst(prefix.utf8.count))) else {
                return nil
            }
            return isData ? .data(path) : .ext(path)
        }
        return QueryPath(name).map { .data($0) }
    }
}

extension QueryField {
    /// The two halves of `text` at its first colon that stands outside of quotation marks; nil
    /// without one.
    static func splitAtColon(_ text: String) -> (field: Substring, rest: Substring)? {
        var isQuoted = false
        for index in text.utf8.indices {
            switch text.utf8[index] {
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: ":") where !isQuoted:
                return (text[..<index], Substring(text.utf8[index...].dropFirst()))
            default: continue
            }
        }
        return nil
    }
}
