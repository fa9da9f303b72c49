import TestSupport

/// Events like those of a web server's access log between 17 and 20 May 2015, and the right answers
/// to questions about them, counted while they were made.
struct AccessLog: Sendable {
    /// One event a line.
    private(set) var ndjson: [UInt8] = []
    private(set) var ids: [String] = []
    private(set) var byStatus: [Int: Int] = [:]
    private(set) var byDay: [Int: Int] = [:]
    private(set) var byteSum = 0
    private(set) var subjects: Set<String> = []

    var count: Int { ids.count }

    /// - Parameter prefix: what every id begins with.
    init(count: Int = 10_000, prefix: String = "access", seed: UInt64 = 2015) {
        var random = SeededGenerator(seed: seed)
        ndjson.reserveCapacity(count * 300)
        for index in 0..<count {
            // The times rise by equal steps over four days.
            append(
                "\(prefix)-\(index)", secondOfSpan: index * (4 * 86_400) / count, &random)
        }
    }

    private mutating func append(_ id: String, secondOfSpan: Int, _ random: inout SeededGenerator) {
        let status = random.pick(AccessLog.statuses) ?? 200
        let bytes = status == 304 ? 0 : Int.random(in: 100...600_000, using: &random)
        let network = Int.random(in: 0..<40, using: &random)
        let subject = "198.51.\(network).\(Int.random(in: 0...50, using: &random))"
        let path = AccessLog.paths.randomElement(using: &random) ?? "/"
        let (day, second) = secondOfSpan.quotientAndRemainder(dividingBy: 86_400)
        let clock = [second / 3600, second / 60 % 60, second % 60]
            .map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
        ids.append(id)
        byStatus[status, default: 0] += 1
        byDay[day, default: 0] += 1
        byteSum += bytes
        subjects.insert(subject)
        ndjson += Array(
            """
            {"id":"\(id)","type":"http.request","source":"/www","subject":"\(subject)",\
            "time":"2015-05-\(17 + day)T\(clock)Z","data":{"method":"GET","path":"\(path)",\
            "status":\(status),"bytes":\(bytes),"referrer":"http://example.org\(path)",\
            "agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"}}

            """.utf8)
    }

    private static let statuses = [
        (200, 9126), (304, 445), (404, 213), (301, 164), (206, 45), (500, 3), (403, 2), (416, 2),
    ]
    private static let paths = [
        "/", "/favicon.ico", "/blog/tags/wine", "/files/grok/?C=N;O=A", "/über/straße",
        "/a,comma", "/a\\\"quote",
    ]
}
