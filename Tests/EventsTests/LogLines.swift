import Primitives
import Telemetry

/// A logger whose lines a test can look at.
final class LogLines: Sendable {
    private let lines: Locked<[String]>
    let log: Logger

    init(_ level: LogLevel = .info) {
        let lines = Locked([String]())
        self.lines = lines
        log = Logger(level: level) { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            lines.withLock { $0.append(text) }
        }
    }

    deinit { log.close() }

    /// Lines that have all of `texts` in them.
    func all(_ texts: String...) -> [String] {
        log.flush()
        return lines.withLock { lines in
            lines.filter { line in texts.allSatisfy { line.contains($0) } }
        }
    }
}
