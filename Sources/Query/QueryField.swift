import Primitives

/// What a metric, a group or a condition looks at: an attribute of the event or a path into its
/// `data`.
package struct QueryField: Hashable, Sendable {
    package enum Place: Hashable, Sendable {
        case time, type, source, subject, id
        /// An SQLite JSON path such as `$."cart"."items"[0]`.
        case data(path: String)
    }

    /// As the client wrote it; columns carry this name.
    package let name: String
    package let place: Place

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

    static let segmentLimit = 8
    static let segmentLimitBytes = 64

    /// Reads `text`; `parameter` is named in the error.
    ///
    /// An attribute's name always means the attribute. A segment that is a decimal number without
    /// leading zeros is an index into an array. Quotation marks and backslashes are refused because
    /// SQLite's JSON path has no escape for them; the path itself is bound, never pasted.
    static func parse(_ text: some StringProtocol, for parameter: String) throws(QueryError)
        -> QueryField
    {
        let name = String(text)
        switch name {
        case "time": return QueryField(name: name, place: .time)
        case "type": return QueryField(name: name, place: .type)
        case "source": return QueryField(name: name, place: .source)
        case "subject": return QueryField(name: name, place: .subject)
        case "id": return QueryField(name: name, place: .id)
        default: break
        }
        guard let path = jsonPath(name) else {
            throw .invalid(
                parameter,
                "must name an attribute (type source subject time id) or a path into data: at most "
                    + "\(segmentLimit) segments joined by dots, each of 1 to \(segmentLimitBytes) "
                    + "bytes without control characters, quotation marks and backslashes")
        }
        return QueryField(name: name, place: .data(path: path))
    }

    private static func jsonPath(_ name: String) -> String? {
        let segments = name.split(
            separator: ".", maxSplits: segmentLimit, omittingEmptySubsequences: false)
        guard segments.count <= segmentLimit else { return nil }
        var path = "$"
        for segment in segments {
            guard (1...segmentLimitBytes).contains(segment.utf8.count),
                segment.unicodeScalars.allSatisfy(isAllowed)
            else { return nil }
            path += isIndex(segment) ? "[\(segment)]" : ".\"\(segment)\""
        }
        return path
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory != .control && scalar != "\"" && scalar != "\\"
    }

    /// Nine digits cannot overflow SQLite's 32-bit index.
    private static func isIndex(_ segment: Substring) -> Bool {
        segment.utf8.count <= 9 && segment.utf8.allSatisfy { (0x30...0x39).contains($0) }
            && (segment.utf8.count == 1 || segment.utf8.first != 0x30)
    }
}
