import Glibc
import Primitives
import TestSupport
import Testing

@Suite(.blocking) struct FairQueueTests {
    @Test func `owners take turns, each with its jobs in their order`() {
        var queue = FairQueue<String>()
        for number in 1...4 { queue.append("a\(number)", owner: "a", isLong: false) }
        queue.append("b1", owner: "b", isLong: false)
        queue.append("c1", owner: "c", isLong: false)
        queue.append("b2", owner: "b", isLong: false)
        #expect(queue.count == 7 && queue.count(of: "a") == 4)
        var order: [String] = []
        while let (job, _) = queue.next(allowsLong: true) { order.append(job) }
        #expect(order == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"])
        #expect(queue.count == 0 && queue.count(of: "a") == 0)
    }

    @Test func `long and short jobs alternate, and long ones wait where they are not allowed`() {
        var queue = FairQueue<String>()
        for number in 1...2 {
            queue.append("long\(number)", owner: "a", isLong: true)
            queue.append("short\(number)", owner: "b", isLong: false)
        }
        #expect(queue.next(allowsLong: false)?.job == "short1")
        #expect(queue.next(allowsLong: true)?.job == "long1")
        #expect(queue.next(allowsLong: true)?.job == "short2")
        #expect(!queue.hasNext(allowsLong: false) && queue.hasNext(allowsLong: true))
        #expect(queue.next(allowsLong: false) == nil)
        #expect(queue.next(allowsLong: true)?.isLong == true)
    }

    @Test func `a pool keeps a thread for what is short, and refuses what is too much`() throws {
        let pool = WorkerPool(name: "test", threads: 2, queueLimit: 8, ownerLimit: 3)
        let gate = Monitor(false)
        let ran = Monitor<[String]>([])
        for _ in 0..<3 {
            #expect(
                pool.submit(for: "a", isLong: true) {
                    gate.wait(for: { $0 }, then: { _ in })
                })
        }
        #expect(pool.submit(for: "b") { ran.change { $0.append("b") } })
        #expect(
            ran.wait(
                until: .after(.seconds(20)), for: { $0 == ["b"] }, then: { _ in true }) == true)
        // One runs and two wait, once the thread has let go of what it ran last.
        let deadline = Deadline.after(.seconds(20))
        while pool.queued > 2, !deadline.hasPassed { usleep(1000) }
        #expect(pool.queued == 2)
        #expect(pool.submit(for: "a", isLong: true) {})
        #expect(!pool.submit(for: "a", isLong: true) {})
        #expect(pool.submit(for: "c", isLong: true) {})
        gate.change { $0 = true }
        pool.close()
        #expect(pool.queued == 0 && !pool.submit {})
    }
}
