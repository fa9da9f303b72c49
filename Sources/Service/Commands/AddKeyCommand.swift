import ArgumentParser
import HTTPServer
import Primitives

/// Makes a key, writes its hash into the keys file, and prints it: the one time it is seen.
struct AddKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Make a key and print it, once.",
        discussion: """
            The key alone goes to standard output. The file is made if it is not there, for its \
            owner alone.

              millrace keys add --keys-file keys.yaml --name web --scope events:write \\
                  --types 'web.*' --expires 90d

            Scopes: \(KeyScope.list).
            """)

    @Option(help: ArgumentHelp("Name of the key: \(KeyRecord.nameRule)", valueName: "name"))
    var name: String

    @Option(
        help: ArgumentHelp("What the key may do; repeat it for more", valueName: "scope"),
        transform: { text in
            guard let scope = KeyScope(rawValue: text) else {
                throw ValidationError("there is no such scope; there are: \(KeyScope.list)")
            }
            return scope
        })
    var scope: [KeyScope]

    @Option(
        help: ArgumentHelp(
            "Event types that the key is bound to, such as web.*; all unless said",
            valueName: "types"))
    var types: [String] = []

    @Option(
        help: ArgumentHelp(
            "Named queries that the key is bound to; any question unless said", valueName: "names"))
    var queries: [String] = []

    @Option(
        help: ArgumentHelp(
            "Requests that the key may send a second; without limit unless said",
            valueName: "count"), transform: AddKeyCommand.rate)
    var requestsPerSecond: Int?

    @Option(
        help: ArgumentHelp(
            "Events that the key may send a second; without limit unless said", valueName: "count"),
        transform: AddKeyCommand.rate)
    var eventsPerSecond: Int?

    @Option(
        help: ArgumentHelp(
            "When the key ends, as a duration such as 90d or an RFC 3339 time; never unless said",
            valueName: "when"))
    var expires: String?

    @OptionGroup var options: KeysFileOptions

    func validate() throws {
        guard KeyRecord.isName(name) else {
            throw ValidationError("the name of a key is \(KeyRecord.nameRule), and not anonymous")
        }
        guard elements(types).allSatisfy(KeyRecord.isTypePattern) else {
            throw ValidationError("a type is 1 to 255 bytes, with a * at the end alone")
        }
        guard !elements(queries).contains("") else {
            throw ValidationError("the name of a query is not empty")
        }
        let now = WallClock.nowMilliseconds()
        if expires != nil, expiry(now).map({ $0 > now }) != true {
            throw ValidationError(
                "--expires is a duration such as 90d or a time to come such as 2030-01-01T00:00:00Z"
            )
        }
        if let conflict = record(NewKey().hash, now).conflict { throw ValidationError(conflict) }
    }

    func run() throws {
        let (file, _) = try options.resolve()
        let key = NewKey()
        do throws(KeysError) {
            let record = record(key.hash, WallClock.nowMilliseconds())
            try file.change(isCreating: true) { (keys) throws(KeysError) in
                try keys.adding(record)
            }
        } catch {
            throw KeysFileOptions.failed(error)
        }
        StandardStream.output.write("\(key.text)\n")
        StandardStream.error.write(
            "Key \(name) is in \(file.path). It is not shown again; send it as "
                + "`Authorization: Bearer …`.\n")
    }

    private func record(_ hash: KeyHash, _ now: Int64) -> KeyRecord {
        // Each scope once, in the order in which they are documented.
        KeyRecord(
            name: name, hash: hash, scopes: KeyScope.allCases.filter(scope.contains),
            types: elements(types), queries: elements(queries),
            quota: Quota.Rates(requests: requestsPerSecond, events: eventsPerSecond), created: now,
            expires: expiry(now))
    }

    private static func rate(_ text: String) throws -> Int {
        guard let rate = KeyRecord.rate(text) else {
            throw ValidationError("a quota is \(KeyRecord.rateRule)")
        }
        return rate
    }

    private func elements(_ lists: [String]) -> [String] {
        lists.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
            .map(String.init)
    }

    private func expiry(_ now: Int64) -> Int64? {
        guard let expires else { return nil }
        if let duration = DurationText.parse(expires) {
            let (time, overflow) = now.addingReportingOverflow(duration.wholeMilliseconds)
            return overflow || !Timestamp.range.contains(time) ? nil : time
        }
        return Timestamp.parse(expires)
    }
}
