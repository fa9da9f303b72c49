internal import CPlatform

/// The processors that this process may use.
package enum Processors {
    /// At least 1. The affinity mask counts and not the machine, so that a container pinned to two
    /// cores counts two. The corresponding C function is `sched_getaffinity`.
    package static var available: Int { Int(millrace_processors()) }
}
