import Masking
import Primitives
import Telemetry

/// What masking has found since the start, by class and rule.
struct MaskingSection: ReportSection {
    let settings: MaskingSettings

    func add(to status: inout JSONObjectWriter) {
        status.object("masking") { masking in
            masking.add("mode", settings.mode)
            masking.add("rules", settings.masker.policy.rules.count)
            masking.add("masks_events", !settings.eventTypes.isEmpty)
            masking.object("matches") { matches in
                for (name, count) in settings.masker.counts { matches.add(name, count) }
            }
        }
    }

    func add(to metrics: inout MetricsText) {
        let matches = "millrace_mask_matches_total"
        metrics.family(
            matches, .counter, "Matches of masking, by class or rule; those that only detect too.")
        for (name, count) in settings.masker.counts {
            metrics.sample(matches, ["rule": name], count)
        }
    }
}
