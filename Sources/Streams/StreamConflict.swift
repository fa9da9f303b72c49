/// What this node and others cannot both be right about. Nothing fails by it, but copies of the
/// events are not whole, and nobody would see why. The trimmer's thread.
struct StreamConflict {
    /// A stream is there that only a node with more partitions writes.
    var hasMorePartitions = false
    /// This process, for others that read for the same group.
    let process = String(UInt64.random(in: .min ... .max), radix: 16)
    /// Searches in a row at which another process had looked since the last.
    private var strangers = 0

    /// A process that was replaced is met once; one that runs, each time.
    private static let strangerLimit = 2

    /// - Parameter reader: the process that looked last; nil if none did.
    mutating func found(reader: String?) {
        let isStranger = reader.map { $0 != process } ?? false
        strangers = isStranger ? strangers + 1 : 0
    }

    /// Empty while all is well.
    func sentences(_ options: StreamOptions) -> [String] {
        var sentences: [String] = []
        if hasMorePartitions {
            sentences.append(
                "Redis has a stream beyond the \(options.partitions) partitions of this node, which"
                    + " misses its events; all nodes need the same --partitions.")
        }
        if strangers >= StreamConflict.strangerLimit {
            sentences.append(
                "Another process reads for the group \(options.group) too, so each stores a part;"
                    + " every node needs a --node or --group of its own.")
        }
        return sentences
    }
}
