internal import Glibc
import Journal
import Storage

/// Whether journal and store are whole. Both are read from end to end; the service may run
/// meanwhile. One step for both, so that damage in one does not hide the other.
enum StoredDataInspection {
    static func run(_ configuration: Configuration) -> [Inspection.Finding] {
        [journal(configuration.journalOptions.directory), store(configuration.storePath)]
    }

    private static func journal(_ path: String) -> Inspection.Finding {
        guard exists(path) else { return .init("journal", .ok, "there is none yet") }
        let check: JournalCheck
        do throws(JournalError) {
            check = try Journal.checkOnly(directory: path)
        } catch {
            return .init("journal", .failed, "\(error)")
        }
        guard check.isSound else { return .init("journal", .failed, damage(check)) }
        let records = check.segments.reduce(0) { $0 + $1.records }
        let events = check.segments.reduce(0) { $0 + $1.events }
        // A crash may tear the last write; it was never acknowledged.
        let torn = check.segments.contains { $0.isTorn } ? "; a torn end will be cut" : ""
        return .init(
            "journal", .ok,
            "\(check.segments.count) segments, \(records) records, \(events) events\(torn)")
    }

    private static func damage(_ check: JournalCheck) -> String {
        let bad = check.segments.filter(\.hasBadPages).map(\.name)
        let broken = check.segments.filter { !$0.isSound && !$0.hasBadPages }.map(\.name)
        let damaged = check.segments.reduce(0) { $0 + $1.damagedRecords }
        let missing = check.segments.reduce(0) { $0 + $1.missingRecords }
        let files = [
            ("damaged files", broken), ("the disk cannot read all of", bad),
            ("no record can be read from", check.unreadable),
        ]
        .filter { !$0.1.isEmpty }
        .map { "; \($0): \($1.joined(separator: ", "))" }.joined()
        return "\(damaged) damaged and \(missing) missing records\(files)"
    }

    private static func store(_ path: String) -> Inspection.Finding {
        guard exists(path) else { return .init("store", .ok, "there is none yet") }
        do throws(StorageError) {
            let report = try IntegrityReport(path: path)
            guard let first = report.problems.first else {
                return .init(
                    "store", .ok, "\(report.rows) events, \(report.quarantined) in quarantine")
            }
            return .init("store", .failed, "\(report.problems.count) problems, the first: \(first)")
        } catch {
            return .init("store", .failed, "\(error)")
        }
    }

    private static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
