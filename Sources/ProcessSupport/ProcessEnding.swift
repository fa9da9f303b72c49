/// How a process ended.
package enum ProcessEnding: Equatable, Sendable {
    /// It returned from main or called `exit` with this code.
    case exited(Int32)
    /// This signal ended it.
    case signaled(Int32)

    /// Takes apart what `waitpid` reports; the macros that do it in C are not visible to Swift.
    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7F
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xFF) : .signaled(signal)
    }
}
