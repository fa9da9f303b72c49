internal import Glibc
import Primitives

/// When keys were used last, kept beside the data: a line for each key, `NAME CREATED LAST_USED`.
/// No hash is in it, so it says nothing about keys that the keys file does not.
struct KeyUsage: Equatable {
    private struct Identity: Hashable {
        let name: String
        /// A key that was revoked and made anew under its name is another one.
        let created: Int64
    }

    private static let limitBytes = 4 << 20
    private var times: [Identity: Int64] = [:]

    static func path(inDataDirectory directory: String) -> String { directory + "/key-usage" }

    init() {}

    /// What a file says; nothing if it is not there, and no line that is not understood.
    init(contentsOf path: String) {
        guard let text = try? TextFile.read(path, limitBytes: KeyUsage.limitBytes) else { return }
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 3, let created = Timestamp.parse(words[1]),
                let used = Timestamp.parse(words[2])
            else { continue }
            times[Identity(name: words[0], created: created)] = used
        }
    }

    init(_ keys: [Key]) {
        for key in keys where key.lastUsed > 0 {
            times[Identity(name: key.record.name, created: key.record.created)] = key.lastUsed
        }
    }

    /// Milliseconds since 1970; nil if it was not seen.
    func lastUsed(_ record: KeyRecord) -> Int64? {
        times[Identity(name: record.name, created: record.created)]
    }

    func write(to path: String) throws(AtomicFile.Failure) {
        let lines = times.sorted { $0.key.name < $1.key.name }.map { identity, used in
            "\(identity.name) \(Timestamp.format(identity.created)) \(Timestamp.format(used))\n"
        }
        try AtomicFile.write(Array(lines.joined().utf8), to: path, mode: 0o600)
    }
}
