internal import Glibc
import HTTPServer

/// Whether the service may listen where it is told to. A port that is taken is no fault: it may be the
/// service's own, which runs meanwhile.
enum ListenInspection {
    @Sendable static func run(_ configuration: Configuration) -> [Inspection.Finding] {
        do throws(ListenError) {
            try ListenAddress.check(
                host: configuration.host, port: UInt16(clamping: configuration.port))
            return []
        } catch {
            return error.cause == EADDRINUSE ? [] : [.init("address", .failed, "\(error)")]
        }
    }
}
