/// Finds out which share of the cache the window should have, by playing the alternatives.
///
/// Each alternative is a miniature of the cache with its own fixed window and the keys whose hash
/// falls into a sample (Waldspurger et al., "Cache Modeling and Optimization using Miniature
/// Simulations", ATC 2017). All see the same questions, so a change of the workload's mood moves
/// all of them alike; a climber that compares the hit rate before and after a step cannot tell the
/// mood from the step (decision record on the window). A miniature holds hashes, no keys or values.
///
/// One owner, one thread at a time. The owner calls `destroy`.
struct WindowTuner {
    /// Shares that are tried. The first suits frequency and loops, the last is LRU.
    static let shares = [0.01, 0.08, 0.2, 0.4, 0.7, 1]
    static let firstShare = 1.0
    /// Entries of one miniature at most: beyond it, keys are sampled.
    static let miniatureLimit = 256
    private static let leastSampledCount = 32
    /// Sampled questions per entry of a miniature from one decision to the next.
    private static let periodFactor = 1
    /// What counts of the hits before a decision at the next one.
    private static let retained = 0.87
    /// Another share must be better by this part of the questions; else moving costs more than it
    /// wins.
    private static let margin = 0.002

    private struct Miniature {
        var policy: WindowPolicy
        var index = NodeIndex()
        var hits = 0
        var score = 0.0

        /// - Parameter hash: whole, as the sketch knows it.
        mutating func ask(_ hash: UInt64, _ sketch: FrequencySketch) {
            let nodes = policy.nodes
            let found = index.find(hash) { node, _ in nodes[Int(node)].hash == hash }
            if found != 0 {
                hits += 1
                return policy.touch(found)
            }
            index.insert(hash, policy.insert(hash: hash, weight: 1, cost: 0))
            var gone: (hash: UInt64, node: UInt32) = (0, 0)
            policy.evict(sketch) { gone = ($1, $0) }
            if gone.node != 0 { index.remove(gone.hash, gone.node) }
        }

        func destroy() {
            policy.destroy()
            index.destroy()
        }
    }

    /// The share that was best of late.
    private(set) var share = WindowTuner.firstShare
    private var chosen = WindowTuner.shares.count - 1
    private var miniatures: [Miniature] = []
    private var sketch: FrequencySketch
    private(set) var sampleMask: UInt64 = 0
    private var questions = 0
    private var questionScore = 0.0
    private var period = 0
    private(set) var entryCount = 0

    init() { sketch = FrequencySketch(entries: 1) }

    func destroy() {
        for miniature in miniatures { miniature.destroy() }
        sketch.destroy()
    }

    /// Starts anew with miniatures for a cache that holds `entries`; what was chosen stays until
    /// they know better.
    mutating func begin(entries: Int, seed: UInt64) {
        for miniature in miniatures { miniature.destroy() }
        sketch.destroy()
        entryCount = entries
        var shift: UInt64 = 0
        while entries >> shift > WindowTuner.miniatureLimit { shift += 1 }
        sampleMask = (1 << shift) - 1
        let sampled = max(entries >> shift, 1)
        sketch = FrequencySketch(entries: sampled)
        miniatures = WindowTuner.shares.map { share in
            Miniature(policy: WindowPolicy(capacity: sampled, windowShare: share, seed: seed))
        }
        period = WindowTuner.periodFactor * max(sampled, WindowTuner.leastSampledCount)
        questions = 0
        questionScore = 0
    }

    /// Whether a question for this hash is one of the sample.
    @inline(__always)
    static func samples(_ hash: UInt64, mask: UInt64) -> Bool {
        // Other bits than those that choose a shard or a slot.
        (hash >> 12) & mask == 0
    }

    /// A question of the sample, whatever came of it.
    /// - Returns: whether `share` changed.
    mutating func ask(_ hash: UInt64) -> Bool {
        sketch.count(hash)
        for index in miniatures.indices { miniatures[index].ask(hash, sketch) }
        questions += 1
        return questions >= period ? decide() : false
    }

    private mutating func decide() -> Bool {
        questionScore = questionScore * WindowTuner.retained + Double(questions)
        questions = 0
        var best = chosen
        for index in miniatures.indices {
            miniatures[index].score =
                miniatures[index].score * WindowTuner.retained + Double(miniatures[index].hits)
            miniatures[index].hits = 0
            if miniatures[index].score > miniatures[best].score { best = index }
        }
        let gain = miniatures[best].score - miniatures[chosen].score
        guard best != chosen, gain > WindowTuner.margin * questionScore else { return false }
        chosen = best
        share = WindowTuner.shares[best]
        return true
    }
}
