internal import CSQLite

/// SQLite's text functions whose cost is the product of two lengths, made anew so that no single
/// call outlasts a deadline: the progress handler is not asked within a call.
///
/// `instr` and `replace` search in linear time (glibc's `memmem`). `like` and `glob` are SQLite's
/// own, with a short pattern; the set of `trim` is short. None begins after the deadline.
extension Connection {
    /// Replaces the functions on this connection. The corresponding C function is
    /// `sqlite3_create_function_v2`.
    package func boundFunctions() throws(SQLiteError) {
        try define("instr", 2, instr)
        try define("replace", 3, replace)
        try define("like", 2, like)
        try define("like", 3, like)
        try define("glob", 2, glob)
        try define("trim", 2, trim)
        try define("ltrim", 2, ltrim)
        try define("rtrim", 2, rtrim)
    }

    private typealias Body =
        @convention(c) (OpaquePointer?, Int32, UnsafeMutablePointer<OpaquePointer?>?) -> Void

    private func define(
        _ name: String, _ arguments: Int32, _ body: Body
    ) throws(SQLiteError) {
        let flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS
        let code = sqlite3_create_function_v2(
            handle, name, arguments, flags, Unmanaged.passUnretained(self).toOpaque(), body, nil,
            nil, nil)
        guard code == SQLITE_OK else { throw error(name) }
    }
}

/// One call of a function: its arguments and where the result goes.
private struct Call {
    let context: OpaquePointer
    let arguments: [OpaquePointer]

    /// Nil, with the result null or an error, where there is nothing to compute.
    init?(
        _ context: OpaquePointer?, _ count: Int32,
        _ values: UnsafeMutablePointer<OpaquePointer?>?
    ) {
        guard let context, let values else { return nil }
        self.context = context
        arguments = (0..<Int(count)).compactMap { values[$0] }
        if let owner = sqlite3_user_data(context),
            Unmanaged<Connection>.fromOpaque(owner).takeUnretainedValue().shouldStop
        {
            sqlite3_result_error_code(context, SQLITE_INTERRUPT)
            return nil
        }
        if arguments.contains(where: { sqlite3_value_type($0) == SQLITE_NULL }) {
            sqlite3_result_null(context)
            return nil
        }
    }

    /// Valid until the function returns.
    func text(_ index: Int) -> UnsafeRawBufferPointer {
        let start = sqlite3_value_text(arguments[index])
        return UnsafeRawBufferPointer(
            start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(arguments[index])))
    }

    func isBlob(_ index: Int) -> Bool { sqlite3_value_type(arguments[index]) == SQLITE_BLOB }

    func limit(_ name: Int32) -> Int {
        Int(sqlite3_limit(sqlite3_context_db_handle(context), name, -1))
    }

    func give(_ bytes: UnsafeRawBufferPointer) {
        let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        guard let start else { return millrace_result_text_copy(context, "", 0) }
        millrace_result_text_copy(context, start, Int64(bytes.count))
    }

    func fail(_ message: String) { sqlite3_result_error(context, message, -1) }
}

private func position(
    of needle: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer, from start: Int
) -> Int? {
    guard let base = text.baseAddress, let pattern = needle.baseAddress,
        let found = millrace_find(base + start, text.count - start, pattern, needle.count)
    else { return nil }
    return base.distance(to: found)
}

private func instr(
    _ context: OpaquePointer?, _ count: Int32, _ values: UnsafeMutablePointer<OpaquePointer?>?
) {
    guard let call = Call(context, count, values) else { return }
    let isBytes = call.isBlob(0) && call.isBlob(1)
    let (text, needle) = (call.text(0), call.text(1))
    guard !needle.isEmpty else { return sqlite3_result_int64(call.context, 1) }
    guard let found = position(of: needle, in: text, from: 0) else {
        return sqlite3_result_int64(call.context, 0)
    }
    // Of characters, the bytes that begin one.
    let before = isBytes ? found : text[..<found].count { $0 & 0xC0 != 0x80 }
    sqlite3_result_int64(call.context, Int64(before + 1))
}

private func replace(
    _ context: OpaquePointer?, _ count: Int32, _ values: UnsafeMutablePointer<OpaquePointer?>?
) {
    guard let call = Call(context, count, values) else { return }
    let (text, needle, other) = (call.text(0), call.text(1), call.text(2))
    guard !needle.isEmpty else {
        return sqlite3_result_value(call.context, call.arguments[0])
    }
    let limit = call.limit(SQLITE_LIMIT_LENGTH)
    var result: [UInt8] = []
    var start = 0
    while let found = position(of: needle, in: text, from: start) {
        result += text[start..<found]
        result += other
        start = found + needle.count
        guard result.count <= limit else { return sqlite3_result_error_toobig(call.context) }
    }
    result += text[start...]
    guard result.count <= limit else { return sqlite3_result_error_toobig(call.context) }
    result.withUnsafeBytes { call.give($0) }
}

private func like(
    _ context: OpaquePointer?, _ count: Int32, _ values: UnsafeMutablePointer<OpaquePointer?>?
) {
    if hasBlob(context, values) { return }
    guard let call = Call(context, count, values), hasShortPattern(call) else { return }
    var escape: UInt32 = 0
    if count == 3 {
        let scalars = String(decoding: call.text(2), as: UTF8.self).unicodeScalars
        guard scalars.count == 1, let only = scalars.first else {
            return call.fail("ESCAPE expression must be a single character")
        }
        escape = only.value
    }
    let differs = sqlite3_strlike(characters(call, 0), characters(call, 1), escape)
    sqlite3_result_int(call.context, differs == 0 ? 1 : 0)
}

private func glob(
    _ context: OpaquePointer?, _ count: Int32, _ values: UnsafeMutablePointer<OpaquePointer?>?
) {
    if hasBlob(context, values) { return }
    guard let call = Call(context, count, values), hasShortPattern(call) else { return }
    let differs = sqlite3_strglob(characters(call, 0), characters(call, 1))
    sqlite3_result_int(call.context, differs == 0 ? 1 : 0)
}

/// A blob is like nothing (SQLITE_LIKE_DOESNT_MATCH_BLOBS, which Debian builds with); true if the
/// result is given.
private func hasBlob(
    _ context: OpaquePointer?, _ values: UnsafeMutablePointer<OpaquePointer?>?
) -> Bool {
    guard let context, let values else { return true }
    let isBlob = (0..<2).contains { sqlite3_value_type(values[$0]) == SQLITE_BLOB }
    if isBlob { sqlite3_result_int(context, 0) }
    return isBlob
}

private func hasShortPattern(_ call: Call) -> Bool {
    if call.text(0).count <= call.limit(SQLITE_LIMIT_LIKE_PATTERN_LENGTH) { return true }
    call.fail("LIKE or GLOB pattern too complex")
    return false
}

/// Ends with a zero byte, as SQLite's texts do.
private func characters(_ call: Call, _ index: Int) -> UnsafePointer<CChar>? {
    call.text(index).baseAddress?.assumingMemoryBound(to: CChar.self)
}

private func trim(
    _ context: OpaquePointer?, _ count: Int32, _ values: UnsafeMutablePointer<OpaquePointer?>?
) {
    trim(context, count, values, left: true, right: true)
}

private func ltrim(
    _ context: OpaquePointer?, _ count: Int32, _ values: UnsafeMutablePointer<OpaquePointer?>?
) {
    trim(context, count, values, left: true, right: false)
}

private func rtrim(
    _ context: OpaquePointer?, _ count: Int32, _ values: UnsafeMutablePointer<OpaquePointer?>?
) {
    trim(context, count, values, left: false, right: true)
}

private func trim(
    _ context: OpaquePointer?, _ count: Int32, _ values: UnsafeMutablePointer<OpaquePointer?>?,
    left: Bool, right: Bool
) {
    guard let call = Call(context, count, values) else { return }
    let (text, set) = (call.text(0), call.text(1))
    guard set.count <= call.limit(SQLITE_LIMIT_LIKE_PATTERN_LENGTH) else {
        return call.fail("the set of trim is too long")
    }
    let marks = String(decoding: set, as: UTF8.self).unicodeScalars.map { Array(String($0).utf8) }
    var (start, end) = (0, text.count)
    while left, let mark = marks.first(where: { text[start..<end].starts(with: $0) }) {
        start += mark.count
    }
    while right,
        let mark = marks.first(where: { mark in
            end - start >= mark.count && text[(end - mark.count)..<end].elementsEqual(mark)
        })
    {
        end -= mark.count
    }
    call.give(UnsafeRawBufferPointer(rebasing: text[start..<end]))
}
