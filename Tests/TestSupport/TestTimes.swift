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

    private struct State {
        var entries: [Entry] = []
        /// What the entries that were reported took together.
        var reported = 0.0
    }

    private let state = Locked(State())

    /// In a run of a few tests nobody asks, and at the beginning of a long one the first are done
    /// before others are there.
    private static let leastSeconds = 60.0
    private static let shownCount = 20

    func add(_ test: Test, _ time: Duration) {
        let location = test.sourceLocation
        let entry = Entry(
            name: test.displayName ?? test.name, place: "\(location.fileName):\(location.line)",
            time: time)
        state.withLock { $0.entries.append(entry) }
    }

    /// Prints the slowest and the sum of all, if much is new since it last did.
    func report() {
        let (all, sum) = state.withLock { state -> ([Entry], Double) in
            let sum = state.entries.map(\.time.inSeconds).reduce(0, +)
            guard sum - state.reported >= TestTimes.leastSeconds else { return ([], sum) }
            state.reported = sum
            return (state.entries, sum)
        }
        let entries = all.sorted { $0.time > $1.time }
        guard !entries.isEmpty else { return }
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
