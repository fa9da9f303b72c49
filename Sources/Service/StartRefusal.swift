internal import Glibc
import HTTPServer
import Journal
import Query
import Storage
import Telemetry

/// What the service says when it cannot start: what is in the way, and what leads round it.
package struct StartRefusal: Sendable {
    package let reason: String
    /// Empty where there is nothing to choose differently.
    package let advice: String

    package init(_ error: any Error) {
        reason = "\(error)"
        advice =
            switch error {
            case let error as ListenError: StartRefusal.advice(listening: error.cause)
            case let error as JournalError: StartRefusal.advice(for: error)
            case is KeysError:
                "Make a key with `millrace keys add`, or mend the file; `millrace keys list` reads it "
                    + "as the service does."
            case is StorageError: StartRefusal.directory
            case is NamedQueryKeeper.Failure: "--queries-dir names the folder of named queries."
            default: ""
            }
    }

    /// Writes a sentence for people to the terminal, and a record to the log.
    /// - Parameters:
    ///   - output: where the log goes.
    ///   - errors: where the sentence goes.
    package func announce(to output: StandardStream, errors: StandardStream, logger: Logger) {
        if output.isTerminal || errors.isTerminal {
            let rest = advice.isEmpty ? "" : "\n\(advice)"
            errors.write("millrace cannot start: \(reason)\(rest)\n")
        }
        guard !output.isTerminal else { return }
        logger.critical("cannot start") {
            $0.add("error", reason)
            $0.add("advice", advice)
        }
    }

    private static let directory =
        "The data directory must be on a disk of this machine that this user can write to; "
        + "--data-dir names another."

    private static func advice(listening cause: Int32) -> String {
        switch cause {
        case EADDRINUSE:
            "Something else listens there, perhaps another Millrace: stop it, or choose another "
                + "port with --port."
        case EACCES: "Ports below 1024 are for root; choose another with --port."
        default: "--host names another address to listen on."
        }
    }

    private static func advice(for error: JournalError) -> String {
        switch error.code {
        case .locked:
            "One process at a time uses a data directory: stop that one, or choose another "
                + "directory with --data-dir."
        case .unreadable, .unwritable: directory
        case .invalidOptions, .closed: ""
        }
    }
}
