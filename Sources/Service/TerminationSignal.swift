internal import Glibc
import Primitives

/// SIGTERM, SIGINT and SIGHUP, taken by waiting for them: no handler, so nothing runs at a bad
/// moment.
package enum TerminationSignal {
    /// Keeps the signals from ending the process, and SIGPIPE from being sent at all; SIGUSR1 and
    /// SIGUSR2 do nothing. Call before any thread is started: threads inherit what is blocked.
    /// - Parameter readsHangups: whether SIGHUP asks for something, also under nohup; otherwise it is
    ///   that of a closed terminal, and ends the process as SIGTERM does.
    package static func block(readsHangups: Bool = false) {
        if readsHangups { signal(SIGHUP, SIG_DFL) }
        for number in [SIGPIPE, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
        var signals = set()
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Waits for one of the signals, on the calling thread.
    /// - Parameter onHangup: what SIGHUP asks for; nil if it ends the wait as any other.
    package static func wait(onHangup: (() -> Void)? = nil) {
        var signals = set()
        while true {
            var received: Int32 = 0
            guard sigwait(&signals, &received) == 0 else { continue }
            guard received == SIGHUP, let onHangup else { return }
            onHangup()
        }
    }

    /// Waits for SIGTERM or SIGINT until `deadline`, on the calling thread.
    package static func wait(until deadline: Deadline) {
        var signals = set()
        while !deadline.hasPassed {
            let milliseconds = deadline.remaining.wholeMilliseconds
            var time = timespec(
                tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
            if [SIGTERM, SIGINT].contains(sigtimedwait(&signals, nil, &time)) { return }
        }
    }

    private static func set() -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        // Linux keeps a blocked signal even if it is ignored, and nohup would not help any more.
        if !isIgnored(SIGHUP) { sigaddset(&signals, SIGHUP) }
        return signals
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
