internal import CSQLite

extension Connection {
    /// Makes a table readable by its name. The corresponding C function is
    /// `sqlite3_create_module_v2`.
    package func add(_ table: VirtualTable) throws(SQLiteError) {
        let owner = Unmanaged.passRetained(TableOwner(table, self))
        // SQLite frees the owner with the connection, and at once if this fails.
        let code = sqlite3_create_module_v2(
            handle, table.name, module, owner.toOpaque(), releaseOwner)
        guard code == SQLITE_OK else { throw error(table.name) }
        // The table is made when it is first named, by a CREATE TABLE that `AccessRules` would
        // refuse.
        _ = try prepare("SELECT 1 FROM \"\(table.name)\"")
    }
}

/// What a module knows of its table.
private final class TableOwner {
    let table: VirtualTable
    /// It outlives its modules.
    unowned let connection: Connection

    init(_ table: VirtualTable, _ connection: Connection) {
        self.table = table
        self.connection = connection
    }
}

/// SQLite's part comes first: it takes a pointer to the whole for one to that.
private struct TableHandle {
    var base = sqlite3_vtab()
    let owner: Unmanaged<TableOwner>
}

private struct CursorHandle {
    var base = sqlite3_vtab_cursor()
    /// Retained; nil before the first reading.
    var reading: Unmanaged<Reading>?
    var isAtEnd = true
    var rowID: Int64 = 0
}

private final class Reading {
    let rows: any VirtualRows

    init(_ rows: any VirtualRows) { self.rows = rows }
}

/// Lives as long as the process: every connection points to it.
nonisolated(unsafe) private let module: UnsafePointer<sqlite3_module> = {
    // Without xCreate the table is there by itself and cannot be created.
    var methods = sqlite3_module()
    methods.iVersion = 1
    methods.xConnect = connect
    methods.xBestIndex = bestIndex
    methods.xDisconnect = disconnect
    methods.xOpen = openCursor
    methods.xClose = closeCursor
    methods.xFilter = filter
    methods.xNext = next
    methods.xEof = isAtEnd
    methods.xColumn = column
    methods.xRowid = rowID
    let place = UnsafeMutablePointer<sqlite3_module>.allocate(capacity: 1)
    place.initialize(to: methods)
    return UnsafePointer(place)
}()

private typealias Table = UnsafeMutablePointer<sqlite3_vtab>
private typealias Cursor = UnsafeMutablePointer<sqlite3_vtab_cursor>

private func releaseOwner(_ owner: UnsafeMutableRawPointer?) {
    if let owner { Unmanaged<TableOwner>.fromOpaque(owner).release() }
}

private func owner(_ table: Table) -> TableOwner {
    UnsafeMutableRawPointer(table).assumingMemoryBound(to: TableHandle.self).pointee.owner
        .takeUnretainedValue()
}

private func handle(_ cursor: Cursor) -> UnsafeMutablePointer<CursorHandle> {
    UnsafeMutableRawPointer(cursor).assumingMemoryBound(to: CursorHandle.self)
}

private func connect(
    _ database: OpaquePointer?, _ owner: UnsafeMutableRawPointer?, _: Int32,
    _: UnsafePointer<UnsafePointer<CChar>?>?,
    _ result: UnsafeMutablePointer<Table?>?,
    _: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    guard let owner, let result else { return SQLITE_MISUSE }
    let table = Unmanaged<TableOwner>.fromOpaque(owner)
    let code = sqlite3_declare_vtab(database, table.takeUnretainedValue().table.declaration)
    guard code == SQLITE_OK else { return code }
    let place = UnsafeMutablePointer<TableHandle>.allocate(capacity: 1)
    place.initialize(to: TableHandle(owner: table))
    result.pointee = UnsafeMutableRawPointer(place).assumingMemoryBound(to: sqlite3_vtab.self)
    return SQLITE_OK
}

private func disconnect(_ table: Table?) -> Int32 {
    guard let table else { return SQLITE_OK }
    sqlite3_free(table.pointee.zErrMsg)
    UnsafeMutableRawPointer(table).assumingMemoryBound(to: TableHandle.self).deallocate()
    return SQLITE_OK
}

// MARK: Conditions

private let comparisons: [Int32: VirtualRequest.Comparison] = [
    SQLITE_INDEX_CONSTRAINT_EQ: .equal, SQLITE_INDEX_CONSTRAINT_GT: .greater,
    SQLITE_INDEX_CONSTRAINT_GE: .greaterOrEqual, SQLITE_INDEX_CONSTRAINT_LT: .less,
    SQLITE_INDEX_CONSTRAINT_LE: .lessOrEqual,
]

/// Rows of a reading without conditions; each condition leaves a fraction.
private let assumedRows = 1e8
private let assumedShare = 0.1
/// Conditions that are handed over; others are looked at by SQLite alone.
private let conditionLimit = 16

/// Takes the conditions that there are values for. What they are is written into `idxStr`, two
/// bytes each, counted up from `!` so that no byte is zero; `idxNum` says which columns are used.
private func bestIndex(
    _ table: Table?, _ info: UnsafeMutablePointer<sqlite3_index_info>?
) -> Int32 {
    guard let table, let info else { return SQLITE_MISUSE }
    let columns = owner(table).table.columns
    var text: [UInt8] = []
    var rows = assumedRows
    for index in 0..<Int(info.pointee.nConstraint) {
        let constraint = info.pointee.aConstraint[index]
        guard constraint.usable != 0, text.count < conditionLimit * 2,
            columns.indices.contains(Int(constraint.iColumn)),
            columns[Int(constraint.iColumn)].isSearchable,
            let comparison = comparisons[Int32(constraint.op)]
        else { continue }
        text += [
            UInt8(ascii: "!") + UInt8(constraint.iColumn), UInt8(ascii: "!") + comparison.rawValue,
        ]
        info.pointee.aConstraintUsage[index].argvIndex = Int32(text.count / 2)
        rows *= assumedShare
    }
    guard let copy = sqlite3_malloc(Int32(text.count + 1)) else { return SQLITE_NOMEM }
    copy.copyMemory(from: text + [0], byteCount: text.count + 1)
    info.pointee.idxStr = copy.assumingMemoryBound(to: CChar.self)
    info.pointee.needToFreeIdxStr = 1
    info.pointee.idxNum = Int32(truncatingIfNeeded: info.pointee.colUsed & 0x7FFF_FFFF)
    info.pointee.estimatedCost = max(rows, 1)
    info.pointee.estimatedRows = Int64(max(rows, 1))
    return SQLITE_OK
}

private func request(
    _ usedColumns: Int32, _ text: UnsafePointer<CChar>?, _ count: Int32,
    _ values: UnsafeMutablePointer<OpaquePointer?>?
) -> VirtualRequest {
    var conditions: [VirtualRequest.Condition] = []
    for index in 0..<Int(count) {
        guard let text, let value = values?[index],
            let comparison = VirtualRequest.Comparison(
                rawValue: UInt8(bitPattern: text[index * 2 + 1]) - UInt8(ascii: "!"))
        else { continue }
        conditions.append(
            VirtualRequest.Condition(
                column: Int(UInt8(bitPattern: text[index * 2]) - UInt8(ascii: "!")),
                comparison: comparison, value: plain(value)))
    }
    return VirtualRequest(
        conditions: conditions, usedColumns: UInt32(bitPattern: usedColumns))
}

private func plain(_ value: OpaquePointer) -> SQLValue {
    switch sqlite3_value_type(value) {
    case SQLITE_INTEGER: return .integer(sqlite3_value_int64(value))
    case SQLITE_FLOAT: return .real(sqlite3_value_double(value))
    case SQLITE_TEXT:
        return sqlite3_value_text(value).map { .text(String(cString: $0)) } ?? .null
    default: return .null
    }
}

// MARK: Reading

private func openCursor(_: Table?, _ result: UnsafeMutablePointer<Cursor?>?) -> Int32 {
    let place = UnsafeMutablePointer<CursorHandle>.allocate(capacity: 1)
    place.initialize(to: CursorHandle())
    result?.pointee = UnsafeMutableRawPointer(place)
        .assumingMemoryBound(to: sqlite3_vtab_cursor.self)
    return SQLITE_OK
}

private func closeCursor(_ cursor: Cursor?) -> Int32 {
    guard let cursor else { return SQLITE_OK }
    handle(cursor).pointee.reading?.release()
    handle(cursor).deallocate()
    return SQLITE_OK
}

private func filter(
    _ cursor: Cursor?, _ usedColumns: Int32, _ text: UnsafePointer<CChar>?, _ count: Int32,
    _ values: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    guard let cursor, let table = cursor.pointee.pVtab else { return SQLITE_MISUSE }
    let place = handle(cursor)
    place.pointee.reading?.release()
    place.pointee.reading = nil
    place.pointee.isAtEnd = true
    place.pointee.rowID = 0
    let made = owner(table)
    let wanted = request(usedColumns, text, count, values)
    do throws(SQLiteError) {
        let rows = try made.table.open(made.connection, wanted)
        place.pointee.reading = Unmanaged.passRetained(Reading(rows))
    } catch { return report(error, table) }
    return next(cursor)
}

private func rows(_ cursor: Cursor) -> (any VirtualRows)? {
    handle(cursor).pointee.reading?.takeUnretainedValue().rows
}

private func next(_ cursor: Cursor?) -> Int32 {
    guard let cursor, let table = cursor.pointee.pVtab else { return SQLITE_MISUSE }
    do throws(SQLiteError) {
        handle(cursor).pointee.isAtEnd = try rows(cursor)?.next() != true
        handle(cursor).pointee.rowID += 1
    } catch { return report(error, table) }
    return SQLITE_OK
}

private func isAtEnd(_ cursor: Cursor?) -> Int32 {
    cursor.map { handle($0).pointee.isAtEnd } ?? true ? 1 : 0
}

private func column(_ cursor: Cursor?, _ context: OpaquePointer?, _ index: Int32) -> Int32 {
    guard let cursor, let context else { return SQLITE_MISUSE }
    rows(cursor)?.give(Int(index), to: VirtualResult(context))
    return SQLITE_OK
}

private func rowID(_ cursor: Cursor?, _ result: UnsafeMutablePointer<sqlite3_int64>?) -> Int32 {
    guard let cursor else { return SQLITE_MISUSE }
    result?.pointee = handle(cursor).pointee.rowID
    return SQLITE_OK
}

/// Has the statement fail with the error.
private func report(_ error: SQLiteError, _ table: Table) -> Int32 {
    sqlite3_free(table.pointee.zErrMsg)
    table.pointee.zErrMsg = nil
    let message = Array(error.message.utf8) + [0]
    if let copy = sqlite3_malloc(Int32(message.count)) {
        copy.copyMemory(from: message, byteCount: message.count)
        table.pointee.zErrMsg = copy.assumingMemoryBound(to: CChar.self)
    }
    return error.code
}
