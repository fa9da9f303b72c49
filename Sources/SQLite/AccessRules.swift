internal import CSQLite

/// What the statements of a connection may touch. SQLite asks for each thing that a statement names,
/// while it compiles the statement (sqlite.org/c3ref/set_authorizer.html).
///
/// SQLite also says which view names a thing, but it takes the name of a `WITH` for that of a view.
/// So a view in `viewReads` that reads tables must have a name that clients cannot know.
package struct AccessRules: Sendable {
    /// Functions, in lower case.
    package var functions: Set<String>
    /// Views and table-valued functions that statements may read, in lower case.
    package var readable: Set<String>
    /// What each view may read, by the name of the view; in lower case.
    package var viewReads: [String: Set<String>]
    /// Every name in the schema, in lower case: only rows of readable ones may be counted.
    package var schemaNames: Set<String> = []

    package init(
        functions: Set<String>, readable: Set<String>, viewReads: [String: Set<String>]
    ) {
        self.functions = functions
        self.readable = readable
        self.viewReads = viewReads
    }

    /// - Parameters:
    ///   - first, second: what the action is about, as SQLite says it.
    ///   - view: the innermost view, or `WITH`, that names the thing.
    fileprivate func permits(
        _ action: Int32, _ first: String, _ second: String, view: String?
    ) -> Bool {
        switch action {
        case SQLITE_SELECT, SQLITE_RECURSIVE: return true
        case SQLITE_FUNCTION: return functions.contains(second)
        case SQLITE_READ:
            if let view, viewReads[view]?.contains(first) == true { return true }
            if readable.contains(first) { return true }
            // A statement that only counts rows names no column; it may count those of its `WITH`.
            return second.isEmpty && !schemaNames.contains(first)
        default: return false
        }
    }
}

extension Connection {
    /// From now on statements that touch anything else are refused when they are compiled. With nil
    /// everything is allowed again.
    package func restrict(to rules: AccessRules?) {
        accessRules = rules
        refusedName = nil
        let context = Unmanaged.passUnretained(self).toOpaque()
        sqlite3_set_authorizer(handle, rules == nil ? nil : authorize, context)
    }

    /// Runs `body`, whose statements the rules do not bind: rows of a `VirtualTable` are read by
    /// statements of this program's own while one of somebody else runs. The rules themselves stay,
    /// since a change would have that one compiled anew.
    package func trusted<Result>(
        _ body: () throws(SQLiteError) -> Result
    ) throws(SQLiteError) -> Result {
        isTrusted = true
        defer { isTrusted = false }
        return try body()
    }
}

private func authorize(
    _ context: UnsafeMutableRawPointer?, _ action: Int32, _ first: UnsafePointer<CChar>?,
    _ second: UnsafePointer<CChar>?, _: UnsafePointer<CChar>?, _ view: UnsafePointer<CChar>?
) -> Int32 {
    guard let context else { return SQLITE_DENY }
    let connection = Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue()
    func text(_ pointer: UnsafePointer<CChar>?) -> String? {
        pointer.map { String(cString: $0).lowercased() }
    }
    if connection.isTrusted { return SQLITE_OK }
    let name = text(first) ?? ""
    let isPermitted = connection.accessRules?.permits(
        action, name, text(second) ?? "", view: text(view))
    if isPermitted == true { return SQLITE_OK }
    let refused = action == SQLITE_FUNCTION ? text(second) : name
    connection.refusedName = connection.refusedName ?? refused
    return SQLITE_DENY
}
