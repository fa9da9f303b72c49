/// What stays and what goes: W-TinyLFU (Einziger, Friedman, Manes, 2017) over numbered nodes.
///
///     insert → [ window, LRU ] → contest → [ probation ⇄ protected ]   (main, segmented LRU)
///                                   ↓
///                            the loser is evicted
///
/// - A new entry starts in the window. It leaves the window as a candidate, and stays if the sketch
///   has seen it more often than the next victim of probation.
/// - A hit in probation moves an entry to protected, which holds at most 80 % of main.
/// - The sum of weights is at most `capacity` after each `evict`.
/// - How large the window is, the owner decides. Resizing moves whole entries, a bounded number at
///   a time, and carries on with the next call.
///
/// The owner keeps the map from keys to nodes and changes it under the same lock; with a map and a
/// policy that are changed apart, one of them leaks. The owner calls `destroy`.
struct WindowPolicy {
    enum Queue: UInt8 { case window, probation, protected, free }

    struct Node {
        var hash: UInt64
        var previous: UInt32
        var next: UInt32
        var weight: UInt32
        var queue: Queue
        /// What it cost to compute a byte, on a logarithmic scale: decides between equals.
        var cost: UInt8
    }

    /// Nodes 0 to 2 are the ends of the three circular lists.
    static let firstNode: UInt32 = 3
    /// Nodes that one call moves at most because the window changed: 64 of some 20 ns.
    private static let movesPerCall = 64
    private static let protectedShare = 0.8
    /// A candidate that is asked for as often as this may win a contest by chance, or whoever knows
    /// the sketch could keep it out for ever with victims of the highest count.
    private static let chanceFrequency = 6
    private static let chanceMask: UInt64 = 127
    /// The window keeps that many entries whatever they weigh: a small share of bytes may be less
    /// than one answer, and then each large answer would go right after it was loaded.
    private static let leastWindowCount = 2

    private(set) var nodes: UnsafeMutablePointer<Node>
    private var nodeCapacity: Int
    /// The first node that was never used; below it unused nodes form a list.
    private var freshNode = WindowPolicy.firstNode
    private var freeNode: UInt32 = 0

    private(set) var count = 0
    private var windowCount = 0
    private(set) var weight = 0
    private(set) var windowWeight = 0
    private var protectedWeight = 0
    private(set) var capacity: Int
    private(set) var windowCapacity: Int
    private var protectedCapacity: Int
    private var random: UInt64

    /// - Parameters:
    ///   - capacity: the most that all weights may sum up to.
    ///   - windowShare: of it for the window, 0 to 1.
    init(capacity: Int, windowShare: Double, seed: UInt64) {
        self.capacity = capacity
        windowCapacity = 0
        protectedCapacity = 0
        random = seed | 1
        nodeCapacity = 64
        nodes = .allocate(capacity: nodeCapacity)
        for end in 0..<WindowPolicy.firstNode {
            nodes[Int(end)] = Node(
                hash: 0, previous: end, next: end, weight: 0,
                queue: Queue(rawValue: UInt8(end)) ?? .free, cost: 0)
        }
        setWindow(share: windowShare)
    }

    func destroy() { nodes.deallocate() }

    var byteCount: Int { nodeCapacity * MemoryLayout<Node>.stride }

    /// Takes effect with the next calls of `evict`.
    mutating func setWindow(share: Double) {
        windowCapacity = max(1, min(capacity, Int(Double(capacity) * share)))
        protectedCapacity = Int(
            Double(capacity - windowCapacity) * WindowPolicy.protectedShare)
    }

    /// A node for a new entry, the newest of the window. Then call `evict`.
    mutating func insert(hash: UInt64, weight: UInt32, cost: UInt8) -> UInt32 {
        let node = takeNode()
        nodes[Int(node)] = Node(
            hash: hash, previous: 0, next: 0, weight: weight, queue: .window, cost: cost)
        link(node, to: .window)
        count += 1
        self.weight += Int(weight)
        return node
    }

    /// The entry was asked for and found.
    mutating func touch(_ node: UInt32) {
        switch nodes[Int(node)].queue {
        case .window, .protected:
            let queue = nodes[Int(node)].queue
            if nodes[Int(queue.rawValue)].previous == node { return }
            detach(node)
            attach(node, to: queue)
        case .probation:
            move(node, to: .protected)
            while protectedWeight > protectedCapacity {
                let oldest = nodes[Int(Queue.protected.rawValue)].next
                if oldest == node { break }
                move(oldest, to: .probation)
            }
        case .free: break
        }
    }

    /// The entry is there no more. Its number may be given to another one.
    mutating func remove(_ node: UInt32) {
        weight -= Int(nodes[Int(node)].weight)
        count -= 1
        unlink(node)
        nodes[Int(node)].queue = .free
        nodes[Int(node)].next = freeNode
        freeNode = node
    }

    /// The entry was replaced by one of another weight; its age stays. Then call `evict`.
    mutating func reweigh(_ node: UInt32, _ newWeight: UInt32, cost: UInt8) {
        let difference = Int(newWeight) - Int(nodes[Int(node)].weight)
        weight += difference
        switch nodes[Int(node)].queue {
        case .window: windowWeight += difference
        case .protected: protectedWeight += difference
        case .probation, .free: break
        }
        nodes[Int(node)].weight = newWeight
        nodes[Int(node)].cost = cost
    }

    /// Brings all weights back within their bounds.
    /// - Parameter victim: is told each node that goes and its hash, before it is free.
    mutating func evict(_ sketch: FrequencySketch, victim: (UInt32, UInt64) -> Void) {
        growWindow()
        var moves = 0
        while windowWeight > windowCapacity, windowCount > WindowPolicy.leastWindowCount,
            moves < WindowPolicy.movesPerCall || weight > capacity
        {
            let candidate = nodes[Int(Queue.window.rawValue)].next
            move(candidate, to: .probation)
            moves += 1
            if weight > capacity { contest(candidate, sketch, victim) }
        }
        while weight > capacity { drop(lastResort(), victim) }
        while protectedWeight > protectedCapacity, moves < WindowPolicy.movesPerCall {
            move(nodes[Int(Queue.protected.rawValue)].next, to: .probation)
            moves += 1
        }
    }

    /// Nodes in use, for who looks through all of them. Changes of the policy end its validity.
    var usedNodes: Range<UInt32> { WindowPolicy.firstNode..<freshNode }

    // MARK: Contest

    /// The candidate, which is the newest of probation, against its oldest, until all fits.
    private mutating func contest(
        _ candidate: UInt32, _ sketch: FrequencySketch, _ victim: (UInt32, UInt64) -> Void
    ) {
        let frequency = sketch.frequency(nodes[Int(candidate)].hash)
        while weight > capacity {
            let oldest = oldestOfMain(besides: candidate)
            guard oldest != 0, admits(candidate, frequency, against: oldest, sketch) else {
                return drop(candidate, victim)
            }
            drop(oldest, victim)
        }
    }

    private mutating func admits(
        _ candidate: UInt32, _ frequency: Int, against oldest: UInt32, _ sketch: FrequencySketch
    ) -> Bool {
        let other = sketch.frequency(nodes[Int(oldest)].hash)
        if frequency != other { return frequency > other || isLucky(frequency) }
        if nodes[Int(candidate)].cost > nodes[Int(oldest)].cost { return true }
        return isLucky(frequency)
    }

    private mutating func isLucky(_ frequency: Int) -> Bool {
        guard frequency >= WindowPolicy.chanceFrequency else { return false }
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return random & WindowPolicy.chanceMask == 0
    }

    /// 0 if main holds nothing else.
    private func oldestOfMain(besides candidate: UInt32) -> UInt32 {
        let oldest = nodes[Int(Queue.probation.rawValue)].next
        if oldest >= WindowPolicy.firstNode, oldest != candidate { return oldest }
        let kept = nodes[Int(Queue.protected.rawValue)].next
        return kept >= WindowPolicy.firstNode ? kept : 0
    }

    /// What goes where no contest could be held: all is in the window.
    private func lastResort() -> UInt32 {
        for queue in [Queue.probation, .protected, .window] {
            let oldest = nodes[Int(queue.rawValue)].next
            if oldest >= WindowPolicy.firstNode { return oldest }
        }
        preconditionFailure("no entry, but weight")
    }

    private mutating func drop(_ node: UInt32, _ victim: (UInt32, UInt64) -> Void) {
        victim(node, nodes[Int(node)].hash)
        remove(node)
    }

    /// Fills a window that was made larger with what main would lose next.
    private mutating func growWindow() {
        var moves = 0
        // Only while main holds more than its share: a cache that is filling up needs no moves.
        while weight - windowWeight > capacity - windowCapacity, moves < WindowPolicy.movesPerCall {
            let oldest = oldestOfMain(besides: 0)
            guard oldest != 0,
                windowWeight + Int(nodes[Int(oldest)].weight) <= windowCapacity
            else { return }
            move(oldest, to: .window)
            moves += 1
        }
    }

    // MARK: Lists

    private mutating func move(_ node: UInt32, to queue: Queue) {
        unlink(node)
        nodes[Int(node)].queue = queue
        link(node, to: queue)
    }

    private mutating func link(_ node: UInt32, to queue: Queue) {
        attach(node, to: queue)
        count(node, in: queue, sign: 1)
    }

    private mutating func unlink(_ node: UInt32) {
        detach(node)
        count(node, in: nodes[Int(node)].queue, sign: -1)
    }

    private mutating func count(_ node: UInt32, in queue: Queue, sign: Int) {
        let weight = sign * Int(nodes[Int(node)].weight)
        switch queue {
        case .window:
            windowWeight += weight
            windowCount += sign
        case .protected: protectedWeight += weight
        case .probation, .free: break
        }
    }

    /// Makes the node the newest of a list.
    private func attach(_ node: UInt32, to queue: Queue) {
        let end = UInt32(queue.rawValue)
        let newest = nodes[Int(end)].previous
        nodes[Int(node)].previous = newest
        nodes[Int(node)].next = end
        nodes[Int(newest)].next = node
        nodes[Int(end)].previous = node
    }

    private func detach(_ node: UInt32) {
        let (previous, next) = (nodes[Int(node)].previous, nodes[Int(node)].next)
        nodes[Int(previous)].next = next
        nodes[Int(next)].previous = previous
    }

    private mutating func takeNode() -> UInt32 {
        if freeNode != 0 {
            defer { freeNode = nodes[Int(freeNode)].next }
            return freeNode
        }
        if Int(freshNode) == nodeCapacity {
            let larger = UnsafeMutablePointer<Node>.allocate(capacity: nodeCapacity * 2)
            larger.moveInitialize(from: nodes, count: nodeCapacity)
            nodes.deallocate()
            nodes = larger
            nodeCapacity *= 2
        }
        defer { freshNode += 1 }
        return freshNode
    }
}
