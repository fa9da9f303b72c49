import ArgumentParser
import Primitives

/// Lists the keys of a file: everything but the keys.
struct ListKeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the keys: names, scopes, quotas, expiry and last use.",
        discussion: """
            The time of last use is known to the service whose data directory is --data-dir; it \
            writes it down once a minute and when it ends.
            """)

    @OptionGroup var options: KeysFileOptions

    func run() throws {
        let (file, directory) = try options.resolve()
        let records: [KeyRecord]
        do throws(KeysError) { records = try file.read().records } catch {
            throw KeysFileOptions.failed(error)
        }
        let usage = KeyUsage(contentsOf: KeyUsage.path(inDataDirectory: directory))
        StandardStream.output.write(ListKeysCommand.table(records, usage))
    }

    static func table(_ records: [KeyRecord], _ usage: KeyUsage) -> String {
        let now = WallClock.nowMilliseconds()
        var lines = [
            ["name", "scopes", "types", "queries", "quotas", "created", "expires", "last_used"]
        ]
        for record in records {
            let expiry = record.expires.map {
                Timestamp.format($0) + (record.isExpired(at: now) ? " (expired)" : "")
            }
            lines.append([
                record.name, record.scopes.map(\.rawValue).joined(separator: ","),
                list(record.types, orElse: "all"), list(record.queries, orElse: "any"),
                list(quotas(record), orElse: "none"),
                Timestamp.format(record.created), expiry ?? "never",
                usage.lastUsed(record).map(Timestamp.format) ?? "-",
            ])
        }
        let widths = lines[0].indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            let cells = zip(line, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            let text = cells.joined(separator: "  ")
            return String(text.reversed().drop { $0 == " " }.reversed()) + "\n"
        }.joined()
    }

    private static func quotas(_ record: KeyRecord) -> [String] {
        [
            record.quota.requests.map { "\($0) requests/s" },
            record.quota.events.map { "\($0) events/s" },
        ].compactMap { $0 }
    }

    private static func list(_ texts: [String], orElse nothing: String) -> String {
        texts.isEmpty ? nothing : texts.joined(separator: ",")
    }
}
