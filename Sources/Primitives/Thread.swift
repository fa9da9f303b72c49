internal import CPlatform
internal import Glibc

/// How much a thread yields to others when cores are short. Linux lets a thread without privileges
/// give up priority but never take it back.
package enum ThreadPriority: Sendable {
    case normal
    /// As much of a core as `normal`, in short slices: Linux gives it one sooner after it wakes up,
    /// before threads that have a slice to finish (since 6.12).
    case prompt
    /// 1 to 19; the higher, the more it yields.
    case nice(Int32)
    /// The same, and gives a core back as soon as the scheduler lets it.
    case yielding(Int32)
    /// Yields the most.
    case background
}

/// Numbers of threads, given out in turn: for what each of a few threads has its own of.
package enum ThreadNumber {
    /// Of the calling thread, for as long as it lives.
    @inline(__always)
    package static var current: Int { Int(millrace_thread_number()) }
}

/// A thread of our own: SQLite, the disk and the event loops block, so they never run on Swift's
/// cooperative pool. One that is let go of without a `join` goes on and cleans up after itself.
package final class Thread: Sendable {
    private let handle: pthread_t
    private let isJoined = Locked(false)

    package static let stackBytes = 1 << 20
    /// For threads on which SQLite compiles what others wrote: it recurses as deep as the text says.
    /// Only what is touched becomes memory.
    package static let deepStackBytes = 16 << 20

    /// Starts `body` on a new thread.
    /// - Parameters:
    ///   - name: at most 15 bytes are kept; `top -H` shows them.
    ///   - priority: a refused one costs only priority, so the thread starts all the same.
    package init(
        name: String, priority: ThreadPriority = .normal, stackBytes: Int = Thread.stackBytes,
        _ body: @escaping @Sendable () -> Void
    ) {
        let start = Unmanaged.passRetained(Start(name: name, priority: priority, body: body))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, stackBytes)
        var thread = pthread_t()
        let result = pthread_create(&thread, &attributes, threadEntry, start.toOpaque())
        pthread_attr_destroy(&attributes)
        precondition(result == 0, "pthread_create failed with \(result)")
        handle = thread
    }

    deinit {
        if !isJoined.withLock({ $0 }) { pthread_detach(handle) }
    }

    /// Waits until the body has returned. Call once.
    package func join() {
        isJoined.withLock { $0 = true }
        pthread_join(handle, nil)
    }
}

/// The thread of an owner that starts it after itself and may be told more than once to end it. Any
/// thread may call it, except that thread.
package final class ThreadSlot: Sendable {
    private let thread: Locked<Thread?> = Locked(nil)

    package init() {}

    /// Starts `body` on a new thread. Call once.
    /// - Parameter name: at most 15 bytes are kept.
    package func start(
        name: String, stackBytes: Int = Thread.stackBytes, _ body: @escaping @Sendable () -> Void
    ) {
        let started = Thread(name: name, stackBytes: stackBytes, body)
        thread.withLock { $0 = started }
    }

    /// Waits until the body has returned. Harmless when repeated, and before `start`.
    package func join() {
        let running = thread.withLock { thread -> Thread? in
            defer { thread = nil }
            return thread
        }
        running?.join()
    }
}

private final class Start: Sendable {
    let name: String
    let priority: ThreadPriority
    let body: @Sendable () -> Void

    init(name: String, priority: ThreadPriority, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.priority = priority
        self.body = body
    }
}

private func threadEntry(_ raw: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let raw else { return nil }
    let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
    millrace_thread_set_name(start.name)
    switch start.priority {
    case .normal: break
    case .prompt: _ = millrace_thread_set_own_slice(shortSlice)
    case .nice(let value): _ = millrace_thread_set_nice(value)
    case .yielding(let value): giveWay(value)
    case .background: giveWay(19)
    }
    start.body()
    return nil
}

/// A thread of low priority that is on a core may keep it for a slice (3 ms on two cores) although
/// others have woken up, so it gets a shorter one.
private func giveWay(_ value: Int32) {
    _ = millrace_thread_set_nice(value)
    _ = millrace_thread_set_slice(value, shortSlice)
}

/// The shortest that Linux takes, in nanoseconds.
private let shortSlice: UInt64 = 100_000
