/// Work that waits, dealt out to its owners in turn, so that one owner's many jobs delay another's
/// few by one job and not by all of them.
///
///     queue.append(job, owner: "ci", isLong: true)
///     queue.next(allowsLong: running < limit)
///
/// Long and short jobs wait apart. Where both may be taken they alternate.
package struct FairQueue<Job> {
    /// The jobs of one kind: owners in the order of their turns, each with its jobs in theirs.
    private struct Turns {
        var jobs: [String: [Job]] = [:]
        /// Owners with jobs, each once.
        var owners: [String] = []

        mutating func append(_ job: Job, owner: String) {
            if jobs[owner]?.isEmpty != false { owners.append(owner) }
            jobs[owner, default: []].append(job)
        }

        mutating func next() -> (job: Job, owner: String)? {
            guard let owner = owners.first else { return nil }
            owners.removeFirst()
            guard let job = jobs[owner]?.removeFirst() else { return nil }
            if jobs[owner]?.isEmpty == true { jobs[owner] = nil } else { owners.append(owner) }
            return (job, owner)
        }
    }

    private var short = Turns()
    private var long = Turns()
    private var counts: [String: Int] = [:]
    private var isLongNext = false
    package private(set) var count = 0

    package init() {}

    /// Jobs of one owner that wait.
    package func count(of owner: String) -> Int { counts[owner] ?? 0 }

    /// - Parameter isLong: it is expected to take long.
    package mutating func append(_ job: Job, owner: String, isLong: Bool) {
        if isLong {
            long.append(job, owner: owner)
        } else {
            short.append(job, owner: owner)
        }
        counts[owner, default: 0] += 1
        count += 1
    }

    /// Whether `next` would return something.
    package func hasNext(allowsLong: Bool) -> Bool {
        !short.owners.isEmpty || (allowsLong && !long.owners.isEmpty)
    }

    /// Takes out the job whose turn it is. O(n) in the jobs of its owner and in the owners, which are
    /// few hundred pointers at the most.
    package mutating func next(allowsLong: Bool) -> (job: Job, isLong: Bool)? {
        let takesLong =
            allowsLong && !long.owners.isEmpty && (isLongNext || short.owners.isEmpty)
        guard let (job, owner) = takesLong ? long.next() : short.next() else { return nil }
        isLongNext = !takesLong
        count -= 1
        counts[owner] = count(of: owner) > 1 ? count(of: owner) - 1 : nil
        return (job, takesLong)
    }
}
