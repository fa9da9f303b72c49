internal import Glibc
import Primitives
import ProcessSupport
import Service

/// Ends the run on SIGTERM and SIGINT without leaving a server or gigabytes behind.
enum Interruption {
    /// Call before any thread is started.
    static func clearsUp(_ scratch: ScratchDirectory) {
        TerminationSignal.block()
        _ = Thread(name: "interruption") {
            TerminationSignal.wait { _ in }
            ChildProcess.killAll()
            scratch.remove()
            // The main thread is in the middle of a round, so nothing is unwound.
            _exit(130)
        }
    }
}
