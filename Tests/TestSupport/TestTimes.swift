import Primitives
internal import Testing

/// How long each test took, without the time that it waited to begin.
///
/// The time that swift-testing prints counts from when all tests are begun at once.
final class TestTimes: Sendable {
    private struct Entry {
        var name: String
        var place: String
        var time: Duration
    }

    private let entries = Locked<[Entry]>([])

    /// In a run of a few tests nobody asks.
    private static let leastCount = 100
    private static let shownCount = 20

    func add(_ test: Test, _ time: Duration) {
        let location = test.sourceLocation
        let entry = Entry(
            name: test.displayName ?? test.name, place: "\(location.fileName):\(location.line)",
            time: time)
        entries.withLock { $0.append(entry) }
    }

    /// Prints the slowest and the sum of all.
    func report() {
        let entries = entries.withLock { $0 }.sorted { $0.time > $1.time }
        guard entries.count >= TestTimes.leastCount else { return }
        let sum = entries.map(\.time.inSeconds).reduce(0, +)
        let lines = entries.prefix(TestTimes.shownCount).map { entry in
            "\(TestTimes.text(entry.time)) s  \(entry.place)  \(entry.name)"
        }
        print(
            "The slowest of \(entries.count) tests that wait, \(Int(sum)) s in all:\n"
                + lines.joined(separator: "\n"))
    }

    /// Seconds with one decimal, as wide as the longest test's.
    private static func text(_ time: Duration) -> String {
        let tenths = time.wholeMilliseconds / 100
        let text = "\(tenths / 10).\(tenths % 10)"
        return String(repeating: " ", count: max(0, 6 - text.utf8.count)) + text
    }
}
