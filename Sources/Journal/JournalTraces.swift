import Telemetry

/// Which traces the newest records belong to. In memory beside the journal and not in its files,
/// whose form stays as it is: after a start nothing is known of what was written before.
struct JournalTraces {
    private struct Batch {
        let first: UInt64
        let last: UInt64
        let links: TraceLinks
    }

    /// 256 batches of some 450 bytes: 115 KB. Readers are a few batches behind, or far behind
    /// after a failure, and then their links are missing.
    private static let limit = 256

    /// The oldest is overwritten.
    private var batches: [Batch] = []
    private var next = 0

    mutating func add(first: UInt64, last: UInt64, _ links: TraceLinks) {
        guard !links.isEmpty else { return }
        let batch = Batch(first: first, last: last, links: links)
        if batches.count < JournalTraces.limit {
            batches.append(batch)
        } else {
            batches[next] = batch
        }
        next = (next + 1) % JournalTraces.limit
    }

    /// The traces of the records of `range`, as far as they are known.
    func links(_ range: ClosedRange<UInt64>) -> TraceLinks {
        var links = TraceLinks()
        for batch in batches where batch.first <= range.upperBound && batch.last >= range.lowerBound
        {
            links.add(batch.links)
        }
        return links
    }
}
