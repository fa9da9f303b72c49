import TestSupport

/// The Prometheus text format, version 0.0.4, read as strictly as `promtool check metrics` does.
struct PrometheusText {
    struct Family {
        var type = ""
        var help = ""
        /// By name and labels as they are written.
        var samples: [String: Double] = [:]
    }

    private(set) var families: [String: Family] = [:]
    private var current = ""

    /// - Throws: what is wrong, with the line.
    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw TestError("the last line has no end") }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            do {
                try read(line)
            } catch {
                throw TestError("\(error): \(line)")
            }
        }
        for (name, family) in families { try check(name, family) }
    }

    private mutating func read(_ line: Substring) throws {
        let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
        if line.hasPrefix("# HELP ") {
            guard words.count == 4, !words[3].isEmpty else { throw TestError("no help") }
            current = String(words[2])
            guard families[current] == nil else { throw TestError("a family twice") }
            families[current] = Family(help: String(words[3]))
        } else if line.hasPrefix("# TYPE ") {
            let types: [Substring] = ["counter", "gauge", "histogram"]
            guard words.count == 4, types.contains(words[3]), words[2] == current,
                families[current]?.samples.isEmpty == true
            else { throw TestError("TYPE does not follow HELP") }
            families[current]?.type = String(words[3])
        } else {
            try sample(line)
        }
    }

    private mutating func sample(_ line: Substring) throws {
        guard let space = line.lastIndex(of: " "), let value = Double(line[space...].dropFirst())
        else { throw TestError("no value") }
        let key = line[..<space]
        let name = key.prefix { $0 != "{" }
        let suffixes =
            families[current]?.type == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
        guard suffixes.contains(where: { name == current + $0 }) else {
            throw TestError("a sample outside its family")
        }
        if name.count < key.count { try labels(key.dropFirst(name.count)) }
        guard families[current]?.samples.updateValue(value, forKey: String(key)) == nil else {
            throw TestError("a sample twice")
        }
    }

    /// `{name="value",…}` with no quotes or line breaks in the values.
    private func labels(_ text: Substring) throws {
        guard text.hasPrefix("{"), text.hasSuffix("}") else { throw TestError("bad braces") }
        var names: Set<Substring> = []
        for pair in text.dropFirst().dropLast().split(separator: "\",") {
            let parts = pair.split(separator: "=\"", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, names.insert(parts[0]).inserted, !parts[0].isEmpty,
                parts[0].utf8.allSatisfy({ $0 == 95 || (97...122).contains($0) })
            else { throw TestError("bad labels") }
        }
    }

    private func check(_ name: String, _ family: Family) throws {
        guard !family.type.isEmpty else { throw TestError("\(name) has no type") }
        guard (family.type == "counter") == name.hasSuffix("_total") else {
            throw TestError("\(name): a counter, and nothing else, ends in _total")
        }
        guard family.type != "histogram" else { return try checkBuckets(name, family) }
        guard family.samples.values.allSatisfy({ $0 >= 0 }) else {
            throw TestError("\(name) is negative")
        }
    }

    private func checkBuckets(_ name: String, _ family: Family) throws {
        for (key, count) in family.samples where key.hasPrefix(name + "_count") {
            let labels = key.dropFirst(name.count + 6).dropLast()
            let infinite =
                labels.isEmpty
                ? "\(name)_bucket{le=\"+Inf\"}" : "\(name)_bucket\(labels),le=\"+Inf\"}"
            guard family.samples[infinite] == count else {
                throw TestError("\(name): the last bucket does not hold all")
            }
        }
    }
}
