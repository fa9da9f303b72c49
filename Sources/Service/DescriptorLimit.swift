internal import Glibc
import Telemetry

/// How many files and sockets the process may have open.
///
/// A login usually gives a process 1,024, which programs that ask may raise: the low number is for
/// those that call `select`, which nothing here does. Journal, store and Redis need some of them,
/// so connections never take all: else the journal could not open its next segment, and a crowd of
/// idle clients would stop the intake.
enum DescriptorLimit {
    private static let largestReserve = 256
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    /// The most that this process may raise it to; nil if it cannot be told.
    static var highest: Int? { limits.map { Int(clamping: $0.rlim_max) } }

    /// Raises the limit as far as it goes.
    static func raise() {
        guard var limits, limits.rlim_cur < limits.rlim_max else { return }
        limits.rlim_cur = limits.rlim_max
        _ = setrlimit(resource, &limits)
    }

    /// - Parameter limit: of open files.
    /// - Returns: how many of the `wanted` connections there is room for.
    static func connections(_ wanted: Int, limit: Int?) -> Int {
        guard let limit else { return wanted }
        return max(1, min(wanted, limit - min(largestReserve, limit / 4)))
    }

    /// Says what is wrong where there is not enough room for what is configured; nil if there is.
    static func complaint(_ configuration: Configuration) -> String? {
        guard let highest else { return nil }
        let room = connections(configuration.maxConnections, limit: highest)
        guard room < configuration.maxConnections else { return nil }
        return "the limit of \(highest) open files leaves room for \(room) connections, not for "
            + "the \(configuration.maxConnections) of --max-connections; raise it "
            + "(ulimit -Hn, LimitNOFILE=)"
    }

    private static var limits: rlimit? {
        var limits = rlimit()
        return getrlimit(resource, &limits) == 0 ? limits : nil
    }
}

/// Whether there may be as many files as connections and data need.
enum DescriptorInspection {
    static func run(_ configuration: Configuration) -> [Inspection.Finding] {
        guard let complaint = DescriptorLimit.complaint(configuration) else { return [] }
        return [.init("open files", .warning, complaint)]
    }
}
