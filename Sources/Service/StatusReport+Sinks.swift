import Events
import Storage

extension StatusReport {
    /// One object a sink. The rest of a sink's URL may be a secret, so only its origin is told.
    func addSinks(_ body: inout JSONObjectWriter) {
        for sink in sinks.statuses {
            body.object(sink.name) { StatusReport.add(sink, to: &$0) }
        }
    }

    private static func add(_ sink: SinkStatus, to body: inout JSONObjectWriter) {
        body.add("url", sink.origin)
        body.add("types", sink.types)
        body.add("delivered", sink.delivered)
        body.add("batches", sink.batches)
        body.add("failed_attempts", sink.failedAttempts)
        body.add("refusals", sink.refusals)
        body.add("dead_letters", sink.deadLetters)
        body.add("redelivered", sink.redelivered)
        body.add("lost", sink.lost)
        if let partitions = sink.partitions { body.add("partitions", partitions) }
        if let lag = sink.lag { body.add("lag", lag) }
        if let error = sink.lastError { body.add("last_error", error) }
        body.object("breaker") { RedisReport.add(sink.breaker, to: &$0) }
    }

    func addDeadLetters(_ body: inout JSONObjectWriter, _ status: StoreStatus) {
        body.add("rows", status.deadLetters)
        body.add("trimmed", status.deadLettersTrimmed)
    }
}
