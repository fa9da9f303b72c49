/// What a process is there for.
package enum ServiceRole: Sendable {
    /// `millrace serve`: everything.
    case serve
    /// `millrace worker`: store and sinks, fed by the streams; takes no events over HTTP.
    case worker
}
