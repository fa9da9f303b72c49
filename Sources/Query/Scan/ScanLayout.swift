import Primitives

/// Where in a row of SQLite, and in the JSON in it, a plan's fields are found; each is read once.
struct ScanLayout {
    /// How a field is read from the current row.
    enum Reading: Hashable {
        case time, type, source, subject, id
        /// A slot of the finder that is read for conditions, before the row is known to count.
        case filtered(Int)
        /// A slot of the finder that is read for rows that count.
        case data(Int)
        case ext(Int)
    }

    /// One accumulator, and what it is fed with.
    struct Feed: Hashable {
        let family: Int
        let function: QueryMetric.Function
        let reading: Reading

        static func == (a: Feed, b: Feed) -> Bool {
            a.family == b.family && a.reading == b.reading
        }
        func hash(into hasher: inout Hasher) {
            hasher.combine(family)
            hasher.combine(reading)
        }
    }

    private(set) var groups: [Reading] = []
    private(set) var conditions: [(reading: Reading, condition: QueryCondition)] = []
    private(set) var feeds: [Feed] = []
    /// The feed of each metric; nil for `count`.
    private(set) var metrics: [(feed: Int, function: QueryMetric.Function)?] = []
    private(set) var filteredPaths: [QueryPath] = []
    private(set) var dataPaths: [QueryPath] = []
    private(set) var extPaths: [QueryPath] = []
    private(set) var needsSource = false
    private(set) var needsSubject = false
    private(set) var needsID = false
    /// Counts of distinct values and percentiles are sketches, as a rollup keeps them.
    var isSketched = false

    init(_ plan: QueryPlan) {
        conditions = plan.conditions.map { (reading($0.field, isCondition: true), $0) }
        groups = plan.request.groups.map { reading($0) }
        metrics = plan.request.metrics.map { metric in
            guard case .of(let function, let field) = metric.measure else { return nil }
            let feed = Feed(family: function.family, function: function, reading: reading(field))
            if let known = feeds.firstIndex(of: feed) { return (known, function) }
            feeds.append(feed)
            return (feeds.count - 1, function)
        }
    }

    private mutating func reading(_ field: QueryField, isCondition: Bool = false) -> Reading {
        switch field.place {
        case .time: return .time
        case .type: return .type
        case .source:
            needsSource = true
            return .source
        case .subject:
            needsSubject = true
            return .subject
        case .id:
            needsID = true
            return .id
        case .data(let path) where isCondition: return .filtered(filteredPaths.slot(of: path))
        case .data(let path): return .data(dataPaths.slot(of: path))
        case .ext(let path): return .ext(extPaths.slot(of: path))
        }
    }

    /// Only times and types are looked at: the index on time holds both.
    var isCovered: Bool {
        filteredPaths.isEmpty && dataPaths.isEmpty && extPaths.isEmpty && !needsSource
            && !needsSubject && !needsID
    }

    /// Nothing of a row is looked at but its time.
    func onlyCounts(_ plan: QueryPlan) -> Bool {
        isCovered && conditions.isEmpty && groups.isEmpty && feeds.isEmpty
    }

    private var needsTime: Bool { reads { $0 == .time } }
    private var needsType: Bool { reads { $0 == .type } }

    private func reads(_ isMeant: (Reading) -> Bool) -> Bool {
        groups.contains(where: isMeant) || feeds.contains { isMeant($0.reading) }
            || conditions.contains { isMeant($0.reading) }
    }

    /// The columns to select.
    /// - Parameters: `checksTime`, `checksType`: whether whoever steps has to look at them.
    func columns(checksTime: Bool, checksType: Bool) -> ScanColumns {
        var columns = ScanColumns()
        if needsTime || checksTime { columns.time = columns.add("e.time") }
        if needsType || checksType { columns.type = columns.add("e.type_id") }
        if needsSource { columns.source = columns.add("e.source_id") }
        if needsID {
            columns.key = columns.add("e.key")
            columns.id = columns.add("e.id")
        }
        if needsSubject { columns.subject = columns.add("e.subject") }
        if !filteredPaths.isEmpty || !dataPaths.isEmpty { columns.data = columns.add("e.data") }
        if !extPaths.isEmpty { columns.ext = columns.add("e.extensions") }
        return columns
    }
}

/// Columns of a SELECT and where each stands; -1 for one that is not selected. Only what is needed
/// is: each column costs some 10 ns a row.
struct ScanColumns {
    private(set) var names: [String] = []
    var time = -1
    var type = -1
    var source = -1
    var subject = -1
    var data = -1
    var ext = -1
    var id = -1
    var key = -1

    mutating func add(_ name: String) -> Int {
        names.append(name)
        return names.count - 1
    }

    var sql: String { names.isEmpty ? "1" : names.joined(separator: ", ") }
}

extension [QueryPath] {
    fileprivate mutating func slot(of path: QueryPath) -> Int {
        if let known = firstIndex(of: path) { return known }
        append(path)
        return count - 1
    }
}
