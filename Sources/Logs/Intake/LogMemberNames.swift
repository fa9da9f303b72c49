import Primitives

/// Names of JSON members that occur twice in an object that was put together of two.
enum LogMemberNames {
    /// A name as it is written, with its quotes.
    private struct Name: Hashable {
        let bytes: UnsafeRawBufferPointer

        func hash(into hasher: inout Hasher) { hasher.combine(bytes: bytes) }
        static func == (a: Name, b: Name) -> Bool { a.bytes.elementsEqual(b.bytes) }
    }

    /// Members of `object`, which must be JSON.
    static func count(_ object: UnsafeRawBufferPointer) -> Int {
        var walk = JSONMemberWalk(object)
        var count = 0
        while (try? walk.next()) != nil { count += 1 }
        return count
    }

    /// Appends `object` without the members after the first `count` that have the name of one of
    /// those.
    /// - Parameter object: JSON, with names written in one way: see `JSONNames`.
    /// - Returns: false, with nothing appended, if there are none. O(n).
    static func appendWithoutRepeats(
        _ object: UnsafeRawBufferPointer, ofFirst count: Int, to buffer: inout ByteBuffer
    ) -> Bool {
        var names: Set<Name> = []
        var walk = JSONMemberWalk(object)
        var index = 0
        var isRepeated = false
        while !isRepeated, let (name, _) = try? walk.next() {
            if index < count {
                names.insert(Name(bytes: name))
            } else {
                isRepeated = names.contains(Name(bytes: name))
            }
            index += 1
        }
        guard isRepeated else { return false }
        walk = JSONMemberWalk(object)
        index = 0
        buffer.append("{")
        while let (name, value) = try? walk.next() {
            defer { index += 1 }
            guard index < count || !names.contains(Name(bytes: name)) else { continue }
            if index > 0 { buffer.append(",") }
            buffer.append(name)
            buffer.append(":")
            buffer.append(value)
        }
        buffer.append("}")
        return true
    }
}
