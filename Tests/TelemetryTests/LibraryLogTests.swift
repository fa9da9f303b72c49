import Logging
import Primitives
import Telemetry
import TestSupport
import Testing

@Suite struct LibraryLogTests {
    @Test func `what a library logs is a record with its message and metadata as fields`() throws {
        let log = CollectedLog()
        var logger = Logging.Logger(label: "a.library") {
            LibraryLogHandler(label: $0, log: log.logger)
        }
        logger.handler.metadataProvider = Logging.Logger.MetadataProvider {
            ["from": "provider", "kept": "yes"]
        }
        logger[metadataKey: "from"] = "logger"
        logger.info("hello \"you\"", metadata: ["from": "call", "n": "\(7)"])
        logger.debug("below the level")
        let lines = log.close()
        #expect(lines.count == 1)
        #expect(
            lines.first?.hasSuffix(
                #""level":"info","message":"a library says","library":"a.library","#
                    + #""text":"hello \"you\"","from":"call","kept":"yes","n":"7"}"# + "\n")
                == true,
            "\(lines)")
    }

    @Test func `a library's level is ours until it sets its own`() {
        let log = CollectedLog(level: .debug)
        var logger = Logging.Logger(label: "a.library") {
            LibraryLogHandler(label: $0, log: log.logger)
        }
        let other = logger
        #expect(logger.logLevel == .debug)
        log.logger.setLevel(.error)
        #expect(logger.logLevel == .error)
        logger.logLevel = .trace
        #expect(logger.logLevel == .trace && other.logLevel == .error)
        #expect(log.close().isEmpty)
    }
}
