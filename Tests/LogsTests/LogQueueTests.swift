import Masking
import Primitives
import Testing

@testable import Logs

@Suite struct LogQueueTests {
    /// 10 MiB: more than a turn takes of several.
    private var large: LogBatch {
        let writer = LogBatchWriter(.standard)
        let message = Bytes(String(repeating: "word ", count: 50_000))
        var record = LogRecord(time: 1, observed: 1)
        record.body = message.span
        for _ in 0..<42 { writer.append(record) }
        withExtendedLifetime(message) {}
        return writer.finish()
    }

    @Test func `a job runs once what came before it is written, whatever comes after it`() {
        let queue = LogQueue(limitBytes: 1 << 30)
        let batch = large
        func add(_ count: Int) { for _ in 0..<count { #expect(queue.add(batch)) } }
        /// The jobs of so many turns.
        func jobs(_ turns: Int) -> [Int] {
            (0..<turns).map { _ in
                let turn = queue.next(gather: .zero, patience: .zero)
                // Senders are as quick as the disk.
                add(turn.batches.count)
                queue.finish(turn.batches.count)
                return turn.jobs.count
            }
        }
        add(3)
        #expect(queue.add { _ in })
        add(2)
        #expect(queue.add { _ in })
        #expect(jobs(7) == [0, 0, 1, 0, 1, 0, 0])
        #expect(queue.add { _ in })
        queue.close()
        var (jobCount, turns) = (0, 0)
        while turns < 20 {
            turns += 1
            let turn = queue.next(gather: .zero, patience: .zero)
            queue.finish(turn.batches.count)
            jobCount += turn.jobs.count
            if turn.isLast { break }
        }
        #expect(jobCount == 1 && turns == 5)
        #expect(queue.depth.bytes == 0 && queue.depth.records == 0)
    }
}
