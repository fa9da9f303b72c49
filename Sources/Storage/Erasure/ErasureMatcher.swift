import Primitives

/// Which events an erasure asks for, without the words it was asked with.
///
/// An erasure has to be remembered for as long as a copy of an event may come back, and it must not
/// itself be such a copy. So types, sources and subjects are kept as hashes under a key that is
/// random for each erasure: enough to recognize an event, and nothing to read. Who has the record
/// can still try whether a guess is right.
package struct ErasureMatcher: Sendable, Equatable {
    private let key: Key128
    /// Any of these; empty for all.
    private let types: Set<Key128>
    private let sources: Set<Key128>
    private let subjects: Set<Key128>
    /// Milliseconds since 1970: events at it or later, events before it.
    package let from: Int64?
    package let to: Int64?

    private enum Role: UInt64 { case type = 1, source, subject }

    package init(_ filter: EventFilter) {
        let key = Key128(
            high: UInt64.random(in: .min ... .max), low: UInt64.random(in: .min ... .max))
        func hashes(_ names: [String], _ role: Role) -> Set<Key128> {
            Set(
                names.map { name in
                    var name = name
                    return name.withUTF8 {
                        ErasureMatcher.hash(UnsafeRawBufferPointer($0), role, key)
                    }
                })
        }
        self.key = key
        types = hashes(filter.types, .type)
        sources = hashes(filter.sources, .source)
        subjects = hashes(filter.subjects, .subject)
        (from, to) = (filter.from, filter.to)
    }

    // MARK: Matching

    package func matches(_ event: EventRow) -> Bool {
        matches(time: event.time) && matches(type: event.type) && matches(source: event.source)
            && matches(subject: event.subject)
    }

    func matches(time: Int64) -> Bool {
        if let from, time < from { return false }
        if let to, time >= to { return false }
        return true
    }

    func matches(type: UnsafeRawBufferPointer) -> Bool { has(type, .type, in: types) }
    func matches(source: UnsafeRawBufferPointer) -> Bool { has(source, .source, in: sources) }

    /// - Parameter subject: nil for an event without one.
    func matches(subject: UnsafeRawBufferPointer?) -> Bool {
        if subjects.isEmpty { return true }
        guard let subject else { return false }
        return has(subject, .subject, in: subjects)
    }

    var hasSubjects: Bool { !subjects.isEmpty }

    private func has(
        _ name: UnsafeRawBufferPointer, _ role: Role, in hashes: Set<Key128>
    ) -> Bool {
        hashes.isEmpty || hashes.contains(ErasureMatcher.hash(name, role, key))
    }

    /// Roles have keys of their own, so that a type and a subject of the same name differ.
    private static func hash(
        _ name: UnsafeRawBufferPointer, _ role: Role, _ key: Key128
    ) -> Key128 {
        Key128(hashing: name, key: Key128(high: key.high ^ role.rawValue, low: key.low))
    }
}

// MARK: As bytes

/// Version 1: a byte for the version, the key (16), a byte that says which ends of the range there
/// are, both ends (8 each), then types, sources and subjects, each a count (2) and hashes (16 each).
/// All little-endian.
extension ErasureMatcher {
    private static let version: UInt8 = 1

    package var encoded: [UInt8] {
        var bytes: [UInt8] = [ErasureMatcher.version]
        func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        func append(_ hash: Key128) {
            append(hash.high)
            append(hash.low)
        }
        append(key)
        append(UInt8((from == nil ? 0 : 1) | (to == nil ? 0 : 2)))
        append(from ?? 0)
        append(to ?? 0)
        for hashes in [types, sources, subjects] {
            append(UInt16(clamping: hashes.count))
            for hash in hashes { append(hash) }
        }
        return bytes
    }

    /// Reads what `encoded` wrote; nil for anything else.
    package init?(decoding bytes: some Collection<UInt8>) {
        var rest = Array(bytes)[...]
        func take(_ count: Int) -> UInt64? {
            guard rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        func takeHash() -> Key128? {
            guard let high = take(8), let low = take(8) else { return nil }
            return Key128(high: high, low: low)
        }
        func takeHashes() -> Set<Key128>? {
            guard let count = take(2), rest.count >= Int(count) * 16 else { return nil }
            var hashes: Set<Key128> = []
            for _ in 0..<count { if let hash = takeHash() { hashes.insert(hash) } }
            return hashes
        }
        guard take(1) == UInt64(ErasureMatcher.version), let key = takeHash(),
            let ends = take(1), let from = take(8), let to = take(8),
            let types = takeHashes(), let sources = takeHashes(), let subjects = takeHashes(),
            rest.isEmpty
        else { return nil }
        self.key = key
        (self.types, self.sources, self.subjects) = (types, sources, subjects)
        self.from = ends & 1 == 0 ? nil : Int64(bitPattern: from)
        self.to = ends & 2 == 0 ? nil : Int64(bitPattern: to)
    }
}
