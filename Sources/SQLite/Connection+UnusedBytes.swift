internal import CSQLite

/// Overwriting what is left in a database file of rows that SQLite has moved: see `UnusedBytes`.
extension Connection {
    /// Overwrites the unused bytes of some pages with zeros, in the file itself: SQLite's own way is
    /// to write the whole file anew. No reader refers to those bytes, and a crash in the middle leaves
    /// some of them for the next time.
    ///
    /// Only for the `.writer`, on its thread, outside a transaction and with nothing in the
    /// write-ahead log, where other states of a page could be. What this connection has of the pages
    /// in memory is forgotten, or it would be written back.
    /// - Parameter pages: counted from 1; those beyond the end are left out. Nothing is done in a
    ///   database without a pointer map, or with pages of another size than ours have.
    /// - Returns: how many pages had something in them.
    /// - Throws: if a page cannot be read or written; some may have been overwritten.
    @discardableResult
    package func zeroUnusedBytes(in pages: [Int]) throws(SQLiteError) -> Int {
        let size = PointerMap.pageBytes
        guard try integer("PRAGMA page_size") == Int64(size),
            try integer("PRAGMA auto_vacuum") != 0,
            let pageCount = try integer("PRAGMA page_count")
        else { return 0 }
        // Also after a page that could not be written: of the others this connection would write back
        // what it has in memory.
        defer { sqlite3_db_release_memory(handle) }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * size, alignment: 16)
        defer { memory.deallocate() }
        let page = UnsafeMutableRawBufferPointer(rebasing: memory[..<size])
        let map = UnsafeMutableRawBufferPointer(rebasing: memory[size...])
        var mapPage = 0
        var changed = 0
        for number in pages where number >= 1 && number <= Int(pageCount) {
            guard number != PointerMap.lockPage else { continue }
            if number > 1 {
                let wanted = PointerMap.mapPage(of: number)
                if wanted == number { continue }
                if wanted != mapPage { try readPage(wanted, into: map) }
                mapPage = wanted
                guard PointerMap.isTree(number, UnsafeRawBufferPointer(map)) else { continue }
            }
            try readPage(number, into: page)
            if try zeroUnusedBytes(of: number, UnsafeRawBufferPointer(page)) { changed += 1 }
        }
        // Always: a sync that failed, or an error before it, left writes of an earlier call unsynced.
        try check(millrace_file_sync(handle), "sync")
        return changed
    }

    /// The pages that the write-ahead log has states of, those included that are in the database file
    /// already; none with pages of another size than ours have. Only for the `.writer`, on its thread,
    /// outside a transaction. Costs a read of 4 bytes for each frame.
    package func pagesInLog() throws(SQLiteError) -> Set<Int> {
        var pages: Set<Int> = []
        guard try integer("PRAGMA page_size") == Int64(PointerMap.pageBytes) else { return [] }
        for frame in 0..<logFrames {
            // https://www.sqlite.org/fileformat2.html, "WAL File Format".
            let offset = 32 + Int64(frame) * Int64(24 + PointerMap.pageBytes)
            var number: UInt32 = 0
            try check(millrace_log_read(handle, &number, 4, offset), "read")
            pages.insert(Int(UInt32(bigEndian: number)))
        }
        return pages
    }

    /// - Returns: whether there was anything else than zeros.
    private func zeroUnusedBytes(
        of number: Int, _ page: UnsafeRawBufferPointer
    ) throws(SQLiteError) -> Bool {
        var hasChanged = false
        for range in UnusedBytes(page, isFirst: number == 1).ranges
        where page[range].contains(where: { $0 != 0 }) {
            let zeros = [UInt8](repeating: 0, count: range.count)
            let offset = Int64((number - 1) * page.count + range.lowerBound)
            try check(millrace_file_write(handle, zeros, Int32(zeros.count), offset), "write")
            hasChanged = true
        }
        return hasChanged
    }

    private func readPage(
        _ number: Int, into page: UnsafeMutableRawBufferPointer
    ) throws(SQLiteError) {
        let offset = Int64((number - 1) * page.count)
        try check(
            millrace_file_read(handle, page.baseAddress, Int32(page.count), offset), "read")
    }

    private func check(_ code: Int32, _ what: String) throws(SQLiteError) {
        guard code != SQLITE_OK else { return }
        throw SQLiteError(
            code: code, message: "\(what) of a page: \(String(cString: sqlite3_errstr(code)))")
    }
}
