import Logs
import Masking
import Primitives

/// A batch of one record.
enum LogBatchHolder {
    static var one: LogBatch {
        let writer = LogBatchWriter(.standard)
        let message = Bytes("a message of some length, so that a queue is full soon")
        var record = LogRecord(
            time: LogHarness.start * 1_000_000, observed: LogHarness.start * 1_000_000)
        record.body = message.span
        writer.append(record)
        withExtendedLifetime(message) {}
        return writer.finish()
    }
}
