import Primitives

/// Which bytes of a page of a database nothing refers to (sqlite.org/fileformat2.html, section 1.6).
///
/// SQLite overwrites the content that it deletes (`secure_delete`), but not what it moves: where
/// neighbouring pages of a tree are evened out, a copy of a row may be left between the cell pointers
/// and the cells. It stays there when the row itself is deleted.
struct UnusedBytes {
    /// Of the page, in order; empty for a page that is none of a tree.
    private(set) var ranges: [Range<Int>] = []

    /// Bytes at the beginning of a free block: the next one, and its own size.
    private static let freeBlockHeaderBytes = 4

    /// - Parameters:
    ///   - page: of a table or an index.
    ///   - isFirst: it begins with the header of the file.
    init(_ page: UnsafeRawBufferPointer, isFirst: Bool) {
        let header = isFirst ? 100 : 0
        let isInterior: Bool
        switch page[header] {
        case 2, 5: isInterior = true
        case 10, 13: isInterior = false
        default: return
        }
        let cells = UnusedBytes.integer(page, header + 3)
        let content = UnusedBytes.integer(page, header + 5)
        let pointersEnd = header + (isInterior ? 12 : 8) + 2 * cells
        // Zero stands for 65,536, which is more than the page has.
        guard content != 0, pointersEnd <= content, content <= page.count else { return }
        if pointersEnd < content { ranges.append(pointersEnd..<content) }
        addFreeBlocks(page, UnusedBytes.integer(page, header + 1), from: content)
    }

    /// They lie in the order of their offsets, so a chain that goes back is damage.
    private mutating func addFreeBlocks(
        _ page: UnsafeRawBufferPointer, _ first: Int, from start: Int
    ) {
        var (block, end) = (first, start)
        while block >= end, block + UnusedBytes.freeBlockHeaderBytes <= page.count {
            let next = UnusedBytes.integer(page, block)
            end = block + UnusedBytes.integer(page, block + 2)
            let content = block + UnusedBytes.freeBlockHeaderBytes
            guard end >= content, end <= page.count else { return }
            if content < end { ranges.append(content..<end) }
            block = next
        }
    }

    private static func integer(_ page: UnsafeRawBufferPointer, _ offset: Int) -> Int {
        Int(page[offset]) << 8 | Int(page[offset + 1])
    }
}

/// What each page of a database is for, as the pointer map says it: only databases with `auto_vacuum`
/// have one (sqlite.org/fileformat2.html, section 1.8).
struct PointerMap {
    static let pageBytes = 4096
    private static let entryBytes = 5
    /// Pages that one page of the map speaks of, and itself.
    private static let interval = pageBytes / entryBytes + 1
    /// SQLite locks bytes here, and keeps nothing in the page.
    static let lockPage = (1 << 30) / pageBytes + 1

    /// The page of the map that speaks of `page`; itself, if it is one.
    static func mapPage(of page: Int) -> Int {
        let first = (page - 2) / interval * interval + 2
        return first == lockPage ? first + 1 : first
    }

    /// Whether `page` is a root or another page of a tree.
    /// - Parameter map: the page of the map that speaks of it.
    static func isTree(_ page: Int, _ map: UnsafeRawBufferPointer) -> Bool {
        let offset = (page - mapPage(of: page) - 1) * entryBytes
        guard offset >= 0, offset + entryBytes <= map.count else { return false }
        return map[offset] == 1 || map[offset] == 5
    }
}
