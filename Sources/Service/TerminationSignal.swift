internal import Glibc

/// SIGTERM, SIGINT and the SIGHUP of a closed terminal, taken by waiting for them: no handler, so
/// nothing runs at a bad moment.
package enum TerminationSignal {
    /// Keeps the signals from ending the process, and SIGPIPE from being sent at all; SIGUSR1 and
    /// SIGUSR2 do nothing. Call before any thread is started: threads inherit what is blocked.
    package static func block() {
        for number in [SIGPIPE, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
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
