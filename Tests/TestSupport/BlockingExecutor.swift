internal import Glibc
import Primitives

/// Threads of our own for tests that block.
///
/// The pool that runs tests has one thread a core, and a test that blocks keeps its thread from all
/// others. Here it keeps one of many, so many tests wait at the same time.
final class BlockingExecutor: TaskExecutor {
    private let jobs = Monitor<[UnownedJob]>([])

    /// As the main thread has by default; sanitizers need more than a thread of the service has.
    private static let stackBytes = 8 << 20

    /// - Parameter count: threads that are started now and live as long as the process.
    init(threads count: Int) {
        for _ in 0..<count { startThread() }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.change { $0.append(job) }
    }

    private func startThread() {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, BlockingExecutor.stackBytes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        // The thread never ends, so it keeps what it is given.
        let executor = Unmanaged.passRetained(self).toOpaque()
        let result = pthread_create(&thread, &attributes, runJobs, executor)
        precondition(result == 0, "pthread_create failed with \(result)")
    }

    fileprivate func run() -> Never {
        while true {
            let job = jobs.wait(for: { !$0.isEmpty }, then: { $0.removeFirst() })
            job?.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}

private func runJobs(_ executor: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let executor else { return nil }
    Unmanaged<BlockingExecutor>.fromOpaque(executor).takeUnretainedValue().run()
}
