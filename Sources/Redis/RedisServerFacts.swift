/// What a Redis says of itself that decides whether it keeps events. Nil where it does not say: an
/// access list may forbid CONFIG, ROLE or INFO.
package struct RedisServerFacts: Equatable, Sendable {
    package var version: String?
    /// Changes with every start of the server (`run_id`).
    package var runID: String?
    /// `master`, `slave` or `sentinel`, as ROLE says it.
    package var role: String?
    /// Changes when the data's history does: another master's, or none (`master_replid`).
    package var replicationID: String?
    package var maxMemoryBytes: Int64?
    package var maxMemoryPolicy: String?
    package var isAppendOnly: Bool?
    package var appendFsync: String?
    /// The snapshot rule (`save`); empty without snapshots.
    package var saveRule: String?

    package init() {}

    /// What would lose events, in whole sentences; empty if nothing known does.
    package var warnings: [String] {
        var warnings: [String] = []
        if let role, role != "master" {
            warnings.append(
                "This Redis is a \(role == "slave" ? "replica" : role) and refuses writes.")
        }
        if let policy = maxMemoryPolicy, policy.hasPrefix("allkeys-") {
            warnings.append(
                "maxmemory-policy \(policy) evicts whole streams when memory is short; noeviction"
                    + " refuses writes instead, which loses nothing.")
        }
        if isAppendOnly == false {
            warnings.append(
                saveRule?.isEmpty == true
                    ? "appendonly is off and no snapshots are taken: a restart of Redis loses every"
                        + " entry in it, and the journal sends again what it still holds."
                    : "appendonly is off: a crash of Redis loses what came after its last"
                        + " snapshot, and the journal sends it again if it still holds it.")
        } else if isAppendOnly == true, appendFsync == "no" {
            warnings.append(
                "appendfsync no leaves syncing to the kernel: a power failure can lose about half"
                    + " a minute of entries.")
        }
        if isAppendOnly == nil || maxMemoryPolicy == nil {
            warnings.append(
                "This Redis does not show its configuration, so whether it keeps entries is"
                    + " unknown.")
        }
        return warnings
    }
}
