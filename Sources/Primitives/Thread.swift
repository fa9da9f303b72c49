internal import CPlatform
internal import Glibc

/// A thread of our own: SQLite, the disk and the event loops block, so they never run on Swift's
/// cooperative pool.
package final class Thread: Sendable {
    private let handle: pthread_t

    /// Starts `body` on a new thread.
    /// - Parameters:
    ///   - name: at most 15 bytes are kept; `top -H` shows them.
    ///   - nice: 0 to 19; a higher number yields to the others when cores are short.
    package init(name: String, nice: Int32 = 0, _ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(name: name, nice: nice, body: body))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, 1 << 20)
        var thread = pthread_t()
        let result = pthread_create(&thread, &attributes, threadEntry, start.toOpaque())
        pthread_attr_destroy(&attributes)
        precondition(result == 0, "pthread_create failed with \(result)")
        handle = thread
    }

    /// Waits until the body has returned. Call once.
    package func join() { pthread_join(handle, nil) }
}

private final class Start: Sendable {
    let name: String
    let nice: Int32
    let body: @Sendable () -> Void

    init(name: String, nice: Int32, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.nice = nice
        self.body = body
    }
}

private func threadEntry(_ raw: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let raw else { return nil }
    let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
    millrace_thread_set_name(start.name)
    // A refused nice value costs only priority, so the thread starts all the same.
    if start.nice != 0 { _ = millrace_thread_set_nice(start.nice) }
    start.body()
    return nil
}
