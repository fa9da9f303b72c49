import HTTPServer
import Primitives

/// The text of a keys file and what it says. Comments and order stay when it is changed.
///
///     # Keys of Millrace: `millrace keys add|list|revoke`.
///     - name: ci
///       sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
///       scopes: [events:write]
///       types: ["web.*"]
///       requests-per-second: 50
///       events-per-second: 5000
///       created: 2026-11-29T22:00:00.000Z
///       expires: 2027-02-27T22:00:00.000Z
struct KeysDocument {
    /// More keys than this make nothing clearer.
    static let countLimit = 10_000

    private(set) var text: String
    private(set) var records: [KeyRecord] = []
    /// The line of each record's first letter, from 1.
    private var lines: [Int] = []
    private let path: String

    /// - Parameter path: what problems call the file.
    /// - Throws: everything that is wrong with the text, each with its line.
    init(_ text: String, path: String) throws(KeysError) {
        self.text = text
        self.path = path
        let tree: YAMLTree
        do { tree = try YAMLTree(parsing: text) } catch {
            throw KeysError(
                "file \(path)\(error.line.map { ":\($0)" } ?? ""): is not a YAML list of keys: "
                    + error.reason)
        }
        let elements: [YAMLTree]
        switch tree.content {
        case .list(let list): elements = list
        case .mapping(let members) where members.isEmpty: elements = []
        default: throw KeysError("file \(path):\(tree.line): is not a YAML list of keys")
        }
        var problems: [String] = []
        for element in elements {
            var reader = KeyReader(element, path: path)
            if let record = reader.read() {
                if records.contains(where: { $0.name == record.name }) {
                    reader.complain(element.line, "there are two keys of the name \(record.name)")
                } else if records.contains(where: { $0.hash == record.hash }) {
                    reader.complain(
                        element.line, "the key \(record.name) has the hash of another")
                }
                records.append(record)
                lines.append(element.line)
            }
            problems += reader.problems
        }
        if elements.count > KeysDocument.countLimit {
            problems.append(
                "file \(path): holds \(elements.count) keys; at most \(KeysDocument.countLimit) "
                    + "are possible")
        }
        guard problems.isEmpty else { throw KeysError(problems) }
    }

    /// The same with one more key, at the end.
    func adding(_ record: KeyRecord) throws(KeysError) -> KeysDocument {
        guard !records.contains(where: { $0.name == record.name }) else {
            throw KeysError("\(path): there is a key \(record.name) already; revoke it first")
        }
        var changed = text
        if changed.allSatisfy(\.isWhitespace) { changed = KeysDocument.header }
        if changed.last?.isNewline == false { changed += "\n" }
        return try reread(changed + record.yaml, expecting: records + [record])
    }

    /// The same without one key.
    func removing(_ name: String) throws(KeysError) -> KeysDocument {
        guard let index = records.firstIndex(where: { $0.name == name }) else {
            let there = records.map(\.name).joined(separator: ", ")
            throw KeysError(
                "\(path): there is no key \(name); there \(there.isEmpty ? "are none" : "are: \(there)")"
            )
        }
        var rows = text.split(separator: "\n", omittingEmptySubsequences: false)
        let first = lines[index] - 1
        var end = index + 1 < lines.count ? lines[index + 1] - 1 : rows.count
        // Comments before the next key, and what ends the file, are not this key's.
        while end > first + 1, KeysDocument.saysNothing(rows[end - 1]) { end -= 1 }
        rows.removeSubrange(first..<end)
        var rest = records
        rest.remove(at: index)
        return try reread(rows.joined(separator: "\n"), expecting: rest)
    }

    /// A file that somebody wrote in another style may not be what the change meant it to be.
    private func reread(
        _ text: String, expecting expected: [KeyRecord]
    ) throws(KeysError) -> KeysDocument {
        if let changed = try? KeysDocument(text, path: path), changed.records == expected {
            return changed
        }
        throw KeysError(
            "\(path): is written in a way that cannot be changed line by line; write each key as "
                + "`- name: …` with its fields below, or change it by hand")
    }

    private static func saysNothing(_ line: Substring) -> Bool {
        let content = line.drop { $0.isWhitespace }
        return content.isEmpty || content.first == "#" || content == "..."
    }

    private static let header =
        """
        # Keys of Millrace. `millrace keys add|list|revoke` change this file; a running service
        # reads it again when it changes. It holds hashes of keys, never keys.

        """
}

/// Reads one element of the list.
private struct KeyReader {
    private static let fields = [
        "name", "sha256", "scopes", "types", "queries", "requests-per-second", "events-per-second",
        "created", "expires",
    ]

    private let element: YAMLTree
    private let path: String
    private(set) var problems: [String] = []

    init(_ element: YAMLTree, path: String) {
        self.element = element
        self.path = path
    }

    mutating func complain(_ line: Int, _ what: String) {
        problems.append("file \(path):\(line): \(what)")
    }

    /// Nil if there is something to complain about.
    mutating func read() -> KeyRecord? {
        guard case .mapping(let members) = element.content else {
            complain(element.line, "a key is a mapping with name, sha256, scopes and so on")
            return nil
        }
        for member in members where !KeyReader.fields.contains(member.name) {
            let nearest = Suggestion.nearest(to: member.name, among: KeyReader.fields)
            let hint = nearest.map { "; did you mean \($0)?" } ?? ""
            complain(member.line, "there is no field \(member.name)\(hint)")
        }
        let name = one("name", "the name of a key is \(KeyRecord.nameRule)") { text in
            KeyRecord.isName(text) ? text : nil
        }
        let hash = one("sha256", "sha256 is 64 hexadecimal digits") { KeyHash(hex: $0) }
        let scopes = many("scopes", "a scope is one of \(KeyScope.list)") {
            KeyScope(rawValue: $0)
        }
        let types = many("types", "a type is 1 to 255 bytes, with a * at the end alone") { text in
            KeyRecord.isTypePattern(text) ? text : nil
        }
        let queries = many("queries", "the name of a query is not empty") { $0.isEmpty ? nil : $0 }
        let created = one("created", "created is an RFC 3339 time") { Timestamp.parse($0) }
        let expires = oneIfThere("expires", "expires is an RFC 3339 time") { Timestamp.parse($0) }
        let quota = Quota.Rates(
            requests: rate("requests-per-second"), events: rate("events-per-second"))
        guard problems.isEmpty, let name, let hash, let created else { return nil }
        let record = KeyRecord(
            name: name, hash: hash, scopes: scopes, types: types, queries: queries,
            quota: quota, created: created, expires: expires)
        if let conflict = record.conflict { complain(element.line, "the key \(name): \(conflict)") }
        return problems.isEmpty ? record : nil
    }

    private mutating func rate(_ name: String) -> Int? {
        oneIfThere(name, "\(name) is \(KeyRecord.rateRule)") { KeyRecord.rate($0) }
    }

    private mutating func oneIfThere<Value>(
        _ name: String, _ rule: String, _ parse: (String) -> Value?
    ) -> Value? {
        member(name) == nil ? nil : one(name, rule, parse)
    }

    private func member(_ name: String) -> YAMLTree.Member? {
        element.members.first { $0.name == name }
    }

    private mutating func one<Value>(
        _ name: String, _ rule: String, _ parse: (String) -> Value?
    ) -> Value? {
        guard let member = member(name) else {
            complain(element.line, "the key has no \(name)")
            return nil
        }
        if case .text(let text) = member.value.content, let value = parse(text) { return value }
        complain(member.line, rule)
        return nil
    }

    private mutating func many<Value>(
        _ name: String, _ rule: String, _ parse: (String) -> Value?
    ) -> [Value] {
        guard let member = member(name) else { return [] }
        let values = member.value.texts?.map(parse) ?? [nil]
        guard values.count <= 100, values.allSatisfy({ $0 != nil }) else {
            complain(member.line, values.count > 100 ? "\(name): at most 100 are possible" : rule)
            return []
        }
        return values.compactMap { $0 }
    }
}

extension KeyRecord {
    /// `web.click`, `web.*`.
    static func isTypePattern(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count) && !text.dropLast().contains("*")
            && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}
