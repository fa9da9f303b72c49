internal import Glibc
import Primitives

/// Which keys some cache was asked for, one after the other. Keys are numbered from 0.
struct CacheTrace {
    private(set) var keys: [Int32] = []
    /// Of each key, as its first line says; 0 where the trace has none.
    private(set) var sizes: [Int] = []

    var keyCount: Int { sizes.count }

    private var numbers: [Key128: Int32] = [:]
    private static let hashKey = Key128(high: 0x7472_6163, low: 0x65)
    /// Of a gzipped trace; they are lists of numbers that repeat.
    private static let inflateLimits = Inflate.Limits(outputBytes: 4 << 30, ratio: 1000)

    init() {}

    static func read(_ path: String) throws(BenchFailure) -> CacheTrace {
        var text = try bytes(of: path)
        if text.count > 2, text.span[0] == 0x1F, text.span[1] == 0x8B {
            var plain = ByteBuffer(capacity: text.count * 4)
            do throws(InflateError) {
                try Inflate.inflate(text.span, .gzip, limits: inflateLimits, into: &plain)
            } catch {
                throw BenchFailure("\(path): \(error)")
            }
            text = plain
        }
        var trace = CacheTrace()
        for line in text.span.split(separator: UInt8(ascii: "\n")) { trace.add(line: line) }
        guard !trace.keys.isEmpty else { throw BenchFailure("\(path) holds no keys") }
        return trace
    }

    /// Adds a question for the key that these bytes name.
    mutating func add(_ name: UnsafeRawBufferPointer, size: Int = 0) {
        let identity = Key128(hashing: name, key: CacheTrace.hashKey)
        let next = Int32(sizes.count)
        let number = numbers[identity, default: next]
        if number == next {
            numbers[identity] = next
            sizes.append(size)
        }
        keys.append(number)
    }

    private mutating func add(line: Slice<UnsafeRawBufferPointer>) {
        let fields = line.split { [0x20, 0x09, 0x0D, UInt8(ascii: ",")].contains($0) }
            .map { UnsafeRawBufferPointer(rebasing: $0) }
        switch fields.count {
        case 0: break
        case 1: add(fields[0])
        case 2: add(fields[0], size: CacheTrace.integer(fields[1]) ?? 0)
        case 3: add(fields[1], size: CacheTrace.integer(fields[2]) ?? 0)
        default: addBlocks(fields[0], fields[1])
        }
    }

    private mutating func addBlocks(
        _ start: UnsafeRawBufferPointer, _ count: UnsafeRawBufferPointer
    ) {
        guard let start = CacheTrace.integer(start), let count = CacheTrace.integer(count) else {
            return
        }
        for block in start..<start + max(count, 0) {
            withUnsafeBytes(of: block) { add($0) }
        }
    }

    private static func integer(_ text: UnsafeRawBufferPointer) -> Int? {
        Int(String(decoding: text, as: UTF8.self))
    }

    private static func bytes(of path: String) throws(BenchFailure) -> ByteBuffer {
        guard let file = fopen(path, "re") else {
            throw BenchFailure("cannot read \(path): \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var bytes = ByteBuffer(capacity: 1 << 20)
        while true {
            let space = bytes.spare(1 << 20)
            let count = fread(space.baseAddress, 1, space.count, file)
            if count == 0 { return bytes }
            bytes.commit(count)
        }
    }
}
