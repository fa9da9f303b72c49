import HTTPServer
import Primitives
import Telemetry

/// What `/status` and `/metrics` tell of the keys: never a hash, and no name.
struct KeyReport: ReportSection {
    /// Nil where no keys file is configured.
    let keeper: KeyKeeper?
    let authorizer: KeyAuthorizer?

    func add(to body: inout JSONObjectWriter) {
        body.object("keys") { keys in
            keys.add("required", keeper != nil)
            guard let keeper, let authorizer else { return }
            let report = keeper.report
            let all = keeper.ring.keys
            let now = WallClock.nowMilliseconds()
            keys.add("file", keeper.file.path)
            keys.add("count", all.count)
            keys.add("expired", all.count { $0.record.isExpired(at: now) })
            keys.add("loaded", Timestamp.format(report.loaded))
            keys.add("reloads", report.reloads)
            keys.add("reload_failures", report.failures)
            if let problem = report.problem {
                keys.add("error", problem)
            } else {
                keys.addNull("error")
            }
            keys.object("refused") { refused in
                for reason in KeyRefusal.allCases {
                    refused.add(reason.rawValue, authorizer.refused(reason))
                }
            }
            keys.object("over_quota") { refused in
                for kind in Quota.Kind.allCases {
                    refused.add(kind.rawValue, authorizer.refused(over: kind))
                }
            }
        }
    }

    func add(to text: inout MetricsText) {
        guard let keeper, let authorizer else { return }
        let refused = "millrace_requests_unauthorized_total"
        text.family(refused, .counter, "Requests refused for their key.")
        for reason in KeyRefusal.allCases {
            text.sample(refused, ["reason": reason.rawValue], authorizer.refused(reason))
        }
        let overQuota = "millrace_requests_over_quota_total"
        text.family(overQuota, .counter, "Requests refused for a quota of their key.")
        for kind in Quota.Kind.allCases {
            text.sample(overQuota, ["quota": kind.rawValue], authorizer.refused(over: kind))
        }
        text.family("millrace_keys", .gauge, "Keys in the keys file.")
        text.sample("millrace_keys", [:], UInt64(keeper.ring.keys.count))
        let report = keeper.report
        let failures = "millrace_keys_reload_failures_total"
        text.family(failures, .counter, "Readings of the keys file that failed.")
        text.sample(failures, [:], report.failures)
        text.family(
            "millrace_keys_file_ok", .gauge, "1 while the keys file as it is can be used.")
        text.sample("millrace_keys_file_ok", [:], UInt64(report.problem == nil ? 1 : 0))
    }
}
