// With TestSupport comes ProcessSupport: processes, files and sockets, as in the benchmarks.
@_exported public import ProcessSupport

extension ChildProcess {
    /// Waits for the end of the process; nil if it still runs after `limit`, sanitized a multiple.
    package func exit(within limit: Duration) -> ProcessEnding? {
        ending(within: limit * slowness)
    }
}
