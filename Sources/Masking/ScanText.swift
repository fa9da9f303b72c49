/// Bytes that can be read at any index: outside they are zero, so that look-behind and look-ahead
/// need no checks of their own. Does not own them; valid as long as its source.
struct ScanText {
    let base: UnsafePointer<UInt8>
    let count: Int
    /// Kept here, since a static costs a check at each use.
    let classes = ByteClass.table

    /// For a text of no bytes. Nothing writes to it after it is made.
    nonisolated(unsafe) static let nothing: UnsafePointer<UInt8> = {
        let byte = UnsafeMutablePointer<UInt8>.allocate(capacity: 1)
        byte.initialize(to: 0)
        return UnsafePointer(byte)
    }()

    init(base: UnsafePointer<UInt8>, count: Int) {
        self.base = base
        self.count = count
    }

    @inline(__always)
    subscript(index: Int) -> UInt8 { index >= 0 && index < count ? base[index] : 0 }

    /// Whether the ASCII bytes of `word` stand at `index`.
    @inline(__always)
    func has(_ word: StaticString, at index: Int) -> Bool {
        let length = word.utf8CodeUnitCount
        guard index >= 0, index + length <= count else { return false }
        let other = word.utf8Start
        for offset in 0..<length where base[index + offset] != other[offset] { return false }
        return true
    }

    /// The same, and letters of the text may be upper case where `word` has lower case.
    func hasFolded(_ word: StaticString, at index: Int) -> Bool {
        let length = word.utf8CodeUnitCount
        guard index >= 0, index + length <= count else { return false }
        let other = word.utf8Start
        for offset in 0..<length {
            let byte = base[index + offset]
            let lower = byte &- 0x41 < 26 ? byte | 0x20 : byte
            if lower != other[offset] { return false }
        }
        return true
    }

    /// The same for a word of the operator's.
    func hasFolded(_ word: [UInt8], at index: Int) -> Bool {
        guard index >= 0, index + word.count <= count else { return false }
        for offset in word.indices {
            let byte = base[index + offset]
            let lower = byte &- 0x41 < 26 ? byte | 0x20 : byte
            if lower != word[offset] { return false }
        }
        return true
    }

    /// One after the last of the bytes from `index` on that are in `set`; at most `limit` of them.
    @inline(__always)
    func end(of set: UInt16, from index: Int, limit: Int = .max) -> Int {
        let stop = limit < count - index ? index + limit : count
        var end = index
        while end < stop, classes[Int(base[end])] & set != 0 { end += 1 }
        return end
    }

    @inline(__always)
    func isIn(_ set: UInt16, _ index: Int) -> Bool {
        index >= 0 && index < count && classes[Int(base[index])] & set != 0
    }
}
