import Primitives

/// `GET /status` and `GET /metrics`: the sections of all parts, in the order given.
package struct Reports: Sendable {
    private let sections: [any ReportSection]

    package init(_ sections: [any ReportSection]) { self.sections = sections }

    /// One JSON object.
    package func status() -> ByteBuffer {
        var body = JSONObjectWriter()
        for section in sections { section.add(to: &body) }
        return body.finish()
    }

    /// The Prometheus text format.
    package func metrics() -> Bytes {
        var text = MetricsText()
        for section in sections { section.add(to: &text) }
        return text.finish()
    }
}
