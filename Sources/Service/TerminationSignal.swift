internal import Glibc

/// SIGTERM and SIGINT, taken by waiting for them: no handler, so nothing runs at a bad moment.
package enum TerminationSignal {
    /// Keeps the signals from ending the process, and SIGPIPE from being sent at all. Call before
    /// any thread is started: threads inherit what is blocked.
    package static func block() {
        signal(SIGPIPE, SIG_IGN)
        var signals = set()
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Waits for one of the signals, on the calling thread.
    package static func wait() {
        var signals = set()
        var received: Int32 = 0
        while sigwait(&signals, &received) != 0 {}
    }

    private static func set() -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        return signals
    }
}
