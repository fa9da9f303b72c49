/// A table that statements of a connection can read and that lies in no file: its rows come from
/// Swift.
///
///     try connection.add(
///         VirtualTable(name: "logs", columns: columns) { connection, request in
///             try LogRows(store, request, connection)
///         })
///
/// DESIGN. An eponymous table of SQLite (sqlite.org/vtab.html): it is there under the name of its
/// module, without a CREATE. Conditions on searchable columns are handed over, so that whole
/// stretches of rows can be left out; SQLite looks at each row again, so more rows than asked for do
/// no harm.
package struct VirtualTable: Sendable {
    package struct Column: Sendable {
        package let name: String
        /// `TEXT` or `INTEGER`: what it is compared as.
        package let type: String
        /// Conditions on it are handed over.
        package let isSearchable: Bool

        package init(_ name: String, _ type: String = "TEXT", isSearchable: Bool = false) {
            self.name = name
            self.type = type
            self.isSearchable = isSearchable
        }
    }

    package typealias Open =
        @Sendable (Connection, VirtualRequest) throws(SQLiteError) -> any VirtualRows

    /// In lower case.
    package let name: String
    /// At most 31.
    package let columns: [Column]
    let open: Open

    static let columnLimit = 31

    /// - Parameter open: begins a reading; the connection is the one whose statement reads. Called
    ///   for each row of an outer table in a join.
    package init(name: String, columns: [Column], open: @escaping Open) {
        precondition(columns.count <= VirtualTable.columnLimit)
        self.name = name
        self.columns = columns
        self.open = open
    }

    /// What SQLite is told the table looks like.
    var declaration: String {
        let list = columns.map { "\"\($0.name)\" \($0.type)" }.joined(separator: ", ")
        return "CREATE TABLE x(\(list))"
    }
}

/// What one reading of a `VirtualTable` has to give.
package struct VirtualRequest: Sendable {
    package enum Comparison: UInt8, Sendable {
        case equal, greater, greaterOrEqual, less, lessOrEqual
    }

    package struct Condition: Sendable {
        package let column: Int
        package let comparison: Comparison
        package let value: SQLValue
    }

    /// All must hold; rows for which one does not may be given all the same.
    package let conditions: [Condition]
    /// Bit `n` is set if column `n` is looked at.
    package let usedColumns: UInt32

    package func uses(_ column: Int) -> Bool { usedColumns & 1 << UInt32(column) != 0 }
}

extension VirtualRequest {
    /// The whole numbers from which and up to which the value of a column may lie, as far as its
    /// conditions say; both inclusive.
    package func range(of column: Int) -> (from: Int64?, to: Int64?) {
        var (from, to): (Int64?, Int64?) = (nil, nil)
        for condition in conditions where condition.column == column {
            guard let (low, high) = condition.value.neighbours else { continue }
            switch condition.comparison {
            case .equal:
                from = max(from ?? low, low)
                to = min(to ?? high, high)
            case .greater, .greaterOrEqual: from = max(from ?? low, low)
            case .less, .lessOrEqual: to = min(to ?? high, high)
            }
        }
        return (from, to)
    }

    /// The text that a column has to be equal to; nil if that is not asked.
    package func text(of column: Int) -> String? {
        for condition in conditions where condition.column == column {
            if condition.comparison == .equal, case .text(let text) = condition.value {
                return text
            }
        }
        return nil
    }
}

extension SQLValue {
    /// The whole numbers next to a number, itself if it is one; nil for what is no number.
    fileprivate var neighbours: (Int64, Int64)? {
        switch self {
        case .integer(let number): (number, number)
        case .real(let number) where number.magnitude < 9e18:
            (Int64(number.rounded(.down)), Int64(number.rounded(.up)))
        case .real, .null, .text, .blob: nil
        }
    }
}

/// One reading of a `VirtualTable`. Belongs to the thread of the connection whose statement reads.
package protocol VirtualRows: AnyObject {
    /// Moves to the next row, the first time to the first one.
    /// - Returns: false at the end.
    func next() throws(SQLiteError) -> Bool

    /// Gives the value of a column of the current row. What is not given is null.
    func give(_ column: Int, to result: VirtualResult)
}
