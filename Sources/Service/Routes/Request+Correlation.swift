import HTTPServer
import Primitives
import SQLite
import Telemetry

extension Request {
    /// Writes down what the store failed with while it answered this request; the client is told
    /// that it failed and no more.
    func log(_ message: StaticString, _ cause: SQLiteError, to log: Logger) {
        correlated { log.error(message) { $0.add("error", cause) } }
    }
}
