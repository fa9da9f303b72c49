internal import Glibc

/// A signal by which an operator asks for something while the service goes on.
package enum OperatorSignal: Sendable {
    case hangup, user1, user2
}

/// SIGTERM and SIGINT, SIGHUP, SIGUSR1 and SIGUSR2, taken by waiting for them: no handler, so
/// nothing runs at a bad moment. SIGHUP ends a process whose output is a terminal, which was closed
/// then; elsewhere it asks for files to be read and opened anew, as is the custom of services.
package enum TerminationSignal {
    /// Keeps the signals from ending the process, and SIGPIPE from being sent at all. Call before
    /// any thread is started: threads inherit what is blocked.
    package static func block() {
        signal(SIGPIPE, SIG_IGN)
        // A signal that is ignored is not kept for who waits for it.
        for number in [SIGUSR1, SIGUSR2] { signal(number, SIG_DFL) }
        var signals = set()
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Waits for a signal that ends the service, on the calling thread.
    /// - Parameter onOther: runs on the same thread for each of the others.
    package static func wait(onOther: (OperatorSignal) -> Void = { _ in }) {
        var signals = set()
        let isOnTerminal = isatty(STDOUT_FILENO) == 1
        while true {
            var received: Int32 = 0
            guard sigwait(&signals, &received) == 0 else { continue }
            switch received {
            case SIGUSR1: onOther(.user1)
            case SIGUSR2: onOther(.user2)
            case SIGHUP where !isOnTerminal: onOther(.hangup)
            default: return
            }
        }
    }

    private static func set() -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGINT, SIGUSR1, SIGUSR2] { sigaddset(&signals, number) }
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
