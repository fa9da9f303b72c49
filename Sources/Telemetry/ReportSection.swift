import Primitives

/// What one part of the service tells of itself: its members of `GET /status` and its families of
/// `GET /metrics`. The part that has the numbers writes them; the reports only put sections one
/// after the other. Called on an event loop, so it reads counters and does not wait.
package protocol ReportSection: Sendable {
    /// Adds members that no other section has.
    func add(to status: inout JSONObjectWriter)
    /// Adds whole families: no other section adds to them, since the format wants all samples of a
    /// family in one place.
    func add(to metrics: inout MetricsText)
}

extension ReportSection {
    package func add(to status: inout JSONObjectWriter) {}
    package func add(to metrics: inout MetricsText) {}
}
