import HTTPServer
import Primitives
import Telemetry

/// Records of who was refused and who operated the service, without secrets: the name of a key,
/// never its text or hash, and the route's template, never a path or a query.
///
/// A client that fails in a loop must not drown the log, so refusals and actions are each bounded;
/// the next record says how many were left out.
final class AuditLog: Sendable {
    /// Records at once, and then a second.
    private static let burst = 50.0
    private static let perSecond = 10.0

    private struct Budget {
        var left = AuditLog.burst
        var filled = MonotonicTime.now()
        var suppressed: UInt64 = 0

        /// How many were left out since the last one; nil if this one is as well.
        mutating func take() -> UInt64? {
            let now = MonotonicTime.now()
            left = min(AuditLog.burst, left + now.since(filled).inSeconds * AuditLog.perSecond)
            filled = now
            guard left >= 1 else {
                suppressed += 1
                return nil
            }
            left -= 1
            defer { suppressed = 0 }
            return suppressed
        }
    }

    private let log: Logger
    private let refusals = Locked(Budget())
    private let actions = Locked(Budget())

    init(log: Logger) { self.log = log }

    /// - Parameter key: its name; nil where none is known.
    func refused(_ request: Request, key: String?, reason: String) {
        guard let suppressed = refusals.withLock({ $0.take() }) else { return }
        log.warning("audit: request refused") {
            AuditLog.add(request, key, suppressed, to: &$0)
            $0.add("reason", reason)
        }
    }

    /// Somebody with the scope `admin` is about to change something.
    func adminAction(_ request: Request, key: String) {
        guard let suppressed = actions.withLock({ $0.take() }) else { return }
        log.notice("audit: admin action") { AuditLog.add(request, key, suppressed, to: &$0) }
    }

    private static func add(
        _ request: Request, _ key: String?, _ suppressed: UInt64, to fields: inout LogFields
    ) {
        fields.add("key", key ?? "")
        fields.add("method", request.method.name)
        fields.add("route", request.route ?? "none")
        fields.add("request_id", request.id.text)
        if suppressed > 0 { fields.add("left_out", Int64(clamping: suppressed)) }
    }
}
