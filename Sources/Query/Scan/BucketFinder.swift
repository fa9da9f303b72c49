import Primitives

/// Tells each row's bucket. Neighbours mostly share one.
struct BucketFinder {
    private let buckets: QueryBuckets
    /// Ascending starts; empty if there would be too many of them.
    private let starts: [Int64]
    private var current: Range<Int64> = 0..<0

    /// - Parameter times: what most rows lie in.
    init(_ buckets: QueryBuckets, _ times: ClosedRange<Int64>?) {
        self.buckets = buckets
        guard buckets.interval.followsCalendar, let times else {
            starts = []
            return
        }
        starts = (try? buckets.starts(from: times.lowerBound, to: times.upperBound + 1)) ?? []
    }

    /// The start of the bucket that `time` lies in.
    mutating func start(of time: Int64) -> Int64 {
        if current.contains(time) { return current.lowerBound }
        current = find(time)
        return current.lowerBound
    }

    private func find(_ time: Int64) -> Range<Int64> {
        var low = 0
        var high = starts.count
        while low < high {
            let middle = (low + high) / 2
            if starts[middle] > time { high = middle } else { low = middle + 1 }
        }
        guard low > 0, low < starts.count else { return buckets.bucket(of: time) }
        return starts[low - 1]..<starts[low]
    }
}
