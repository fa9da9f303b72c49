internal import CHiredis
internal import Glibc
import Primitives

// DESIGN
//
// hiredis builds a tree of replies through five function pointers. Its own make one `calloc` for
// each reply and one for each string, about twenty for one stream entry, and allocate an array of
// the length that the peer announces, before a byte of it has come. Ours append to two buffers that
// belong to the connection and are used again for the next call: a flat list of nodes in the order
// in which hiredis meets them (an array before its elements), and the bytes of all strings.
//
// An "object" that hiredis holds is only proof that it was made, so it is the node's number plus
// one, never followed as a pointer.

/// One reply or element.
struct ReplyNode {
    /// Integer: its value. Strings: where its bytes start in the arena.
    var value: Int64
    /// Strings: bytes. Array: elements.
    var count: UInt32
    /// The number of the node behind this one and all it holds. Known once the reply is whole.
    var end: UInt32
    var kind: RedisReply.Kind
}

/// The replies of one call. Belongs to its connection's thread.
struct ReplyArena: ~Copyable {
    private(set) var nodes: UnsafeMutablePointer<ReplyNode>
    private(set) var nodeCount = 0
    private(set) var bytes = ByteBuffer(capacity: 1024)
    private var nodeCapacity: Int
    private var sealedCount = 0
    /// The most that one of the last calls needed.
    private var recentNodes = 0
    private var recentBytes = 0
    private var callsUntilShrinking = ReplyArena.recentCalls

    /// What a connection always keeps: 4,096 nodes and 1 MiB, an XREADGROUP of some 400 events.
    private static let keptNodes = 4096
    private static let keptBytes = 1 << 20
    /// Memory that was given back comes again as fresh pages, which cost a busy reader more than its
    /// parsing. So what the largest of this many calls needed is kept for the next as many.
    private static let recentCalls = 64
    /// Never kept from one call to the next: more than this.
    private static let mostKeptNodes = 1 << 18
    private static let mostKeptBytes = 8 << 20
    /// Nodes are numbered by 32 bits, and one more is the end of the last.
    private static let nodeLimit = Int(Int32.max)

    init() {
        nodeCapacity = 64
        nodes = .allocate(capacity: nodeCapacity)
    }

    deinit { nodes.deallocate() }

    /// Memory in use, in bytes.
    var byteCount: Int { bytes.count + nodeCount * MemoryLayout<ReplyNode>.stride }

    /// Memory held, in bytes.
    var heldByteCount: Int { bytes.capacity + nodeCapacity * MemoryLayout<ReplyNode>.stride }

    mutating func removeAll() {
        recentNodes = max(recentNodes, nodeCount)
        recentBytes = max(recentBytes, bytes.count)
        bytes.removeAll()
        nodeCount = 0
        sealedCount = 0
        callsUntilShrinking -= 1
        if callsUntilShrinking == 0 {
            shrink(toNodes: 2 * recentNodes, bytes: 2 * recentBytes)
            callsUntilShrinking = ReplyArena.recentCalls
            recentNodes = 0
            recentBytes = 0
        } else {
            shrink(toNodes: ReplyArena.mostKeptNodes, bytes: ReplyArena.mostKeptBytes)
        }
    }

    private mutating func shrink(toNodes nodeLimit: Int, bytes byteLimit: Int) {
        bytes.shrink(above: min(max(byteLimit, ReplyArena.keptBytes), ReplyArena.mostKeptBytes))
        let kept = min(max(nodeLimit, ReplyArena.keptNodes), ReplyArena.mostKeptNodes)
        guard nodeCapacity > kept else { return }
        nodes.deallocate()
        nodeCapacity = kept
        nodes = .allocate(capacity: nodeCapacity)
    }

    /// - Returns: the new node's number plus one; 0 if there are too many.
    mutating func append(_ kind: RedisReply.Kind, value: Int64 = 0, count: Int = 0) -> Int {
        guard nodeCount < ReplyArena.nodeLimit, let count = UInt32(exactly: count) else { return 0 }
        if nodeCount == nodeCapacity { grow() }
        (nodes + nodeCount).initialize(
            to: ReplyNode(value: value, count: count, end: 0, kind: kind))
        nodeCount += 1
        return nodeCount
    }

    mutating func append(_ kind: RedisReply.Kind, bytes text: UnsafeRawBufferPointer) -> Int {
        let start = bytes.count
        bytes.append(text)
        return append(kind, value: Int64(start), count: text.count)
    }

    /// Call when a reply is whole: finds where each of its nodes ends, from the back, so that what
    /// an array holds is known before the array.
    mutating func seal() {
        for index in stride(from: nodeCount - 1, through: sealedCount, by: -1) {
            var end = UInt32(index + 1)
            if nodes[index].kind == .array {
                for _ in 0..<nodes[index].count { end = nodes[Int(end)].end }
            }
            nodes[index].end = end
        }
        sealedCount = nodeCount
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<ReplyNode>.allocate(capacity: nodeCapacity * 2)
        larger.moveInitialize(from: nodes, count: nodeCount)
        nodes.deallocate()
        nodes = larger
        nodeCapacity *= 2
    }
}

/// The functions that hiredis calls for each reply it reads. They live as long as the process.
nonisolated(unsafe) let replyArenaFunctions: UnsafeMutablePointer<redisReplyObjectFunctions> = {
    let functions = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
    functions.initialize(
        to: redisReplyObjectFunctions(
            createString: createString, createArray: createArray, createInteger: createInteger,
            createNil: createNil, freeObject: freeObject))
    return functions
}()

private typealias Task = UnsafePointer<redisReadTask>

private func arena(of task: Task?) -> UnsafeMutablePointer<ReplyArena>? {
    task?.pointee.privdata?.assumingMemoryBound(to: ReplyArena.self)
}

private func createString(
    _ task: Task?, _ text: UnsafeMutablePointer<CChar>?, _ length: Int
) -> UnsafeMutableRawPointer? {
    guard let arena = arena(of: task) else { return nil }
    let kind: RedisReply.Kind =
        switch task?.pointee.type {
        case REDIS_REPLY_ERROR: .error
        case REDIS_REPLY_STATUS: .status
        default: .string
        }
    let bytes = UnsafeRawBufferPointer(start: text, count: length)
    return UnsafeMutableRawPointer(bitPattern: arena.pointee.append(kind, bytes: bytes))
}

private func createArray(_ task: Task?, _ count: Int32) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(
        bitPattern: arena(of: task)?.pointee.append(.array, count: Int(count)) ?? 0)
}

private func createInteger(_ task: Task?, _ value: CLongLong) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(
        bitPattern: arena(of: task)?.pointee.append(.integer, value: value) ?? 0)
}

private func createNil(_ task: Task?) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(bitPattern: arena(of: task)?.pointee.append(.null) ?? 0)
}

/// The arena frees all at once.
private func freeObject(_ object: UnsafeMutableRawPointer?) {}
