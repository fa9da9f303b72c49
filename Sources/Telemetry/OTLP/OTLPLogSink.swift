import OTLPMessages
import Primitives

/// Sends the service's own log to an OTLP/HTTP endpoint.
///
/// It reads the lines that other sinks write, so what is masked there is masked here. An endpoint
/// that is away fills this sink's queue and nothing else: the lane tries again with growing pauses,
/// and counts what finds no room as `sink_error`.
package final class OTLPLogSink: LogSink {
    package let name = "otlp"
    /// OpenTelemetry's batch processor waits as long.
    package let gathering: LogGathering? = LogGathering(time: .seconds(1), bytes: 512 << 10)
    private let export: OTLPExport
    /// A JSON object.
    private let resource: Bytes

    package init(_ options: OTLPOptions) {
        export = OTLPExport(options, path: "v1/logs")
        var resource = JSONObjectWriter()
        resource.add("service.name", options.serviceName)
        resource.add("service.version", options.serviceVersion)
        resource.add("service.instance.id", options.instance)
        self.resource = resource.finish().freeze()
    }

    package func write(_ lines: UnsafeRawBufferPointer) throws(LogSinkError) {
        let (message, records) = self.message(lines)
        switch export.send(message) {
        case .delivered(nil): return
        case .delivered(let partial?):
            // A message alone is a warning.
            guard partial.rejected > 0 else { return }
            throw LogSinkError(
                refused: Int(clamping: min(partial.rejected, Int64(records))),
                "the endpoint left records out")
        case .refused(let reason): throw LogSinkError(refused: records, reason)
        case .failed(let reason): throw LogSinkError(written: 0, reason)
        }
    }

    private func message(_ lines: UnsafeRawBufferPointer) -> (Bytes, records: Int) {
        var reader = LogLineReader(resource: resource)
        var writer = OTLPLogsWriter()
        // The parser wants room behind its text; a sink's lines may end where their memory does.
        var padded = ByteBuffer(capacity: lines.count)
        padded.append(lines)
        var start = 0
        while start < padded.count {
            let end = JSONScan.lineEnd(padded.span, from: start)
            reader.read(UnsafeRawBufferPointer(rebasing: padded.span[start..<end])) {
                writer.append($0)
            }
            start = end + 1
        }
        let records = writer.count
        return (writer.finish(), records)
    }
}
