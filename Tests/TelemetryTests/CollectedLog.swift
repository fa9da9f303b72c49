import Primitives
import Telemetry

/// A logger whose lines a test looks at.
final class CollectedLog: Sendable {
    private let collected: Locked<[String]>
    let logger: Logger

    init(
        level: LogLevel = .info, isHumanReadable: Bool = false, options: LogOptions = LogOptions()
    ) {
        let collected = Locked([String]())
        self.collected = collected
        logger = Logger(level: level, isHumanReadable: isHumanReadable, options: options) { line in
            let text = String(decoding: line, as: UTF8.self)
            collected.withLock { $0.append(text) }
        }
    }

    var lines: [String] { collected.withLock { $0 } }

    /// What was written, once all of it is.
    func close() -> [String] {
        logger.close(within: .seconds(60))
        return lines
    }
}

extension String {
    /// The number behind `"name":` in a line.
    func number(_ name: String) -> Int? {
        guard let found = try? JSONValue.parse(self)[name], case .integer(let number) = found
        else { return nil }
        return Int(number)
    }
}
