import Primitives

/// A few bytes that a caller keeps beside an answer, which the cache carries and never reads: what
/// kind of text it is, or how many rows it has.
package struct CacheDetail: Sendable, Equatable {
    package var kind: UInt8
    package var flags: UInt8
    /// As text, an entity tag say.
    package var label: String

    package init(kind: UInt8 = 0, flags: UInt8 = 0, label: String = "") {
        self.kind = kind
        self.flags = flags
        self.label = label
    }

    /// What it takes beside the entry: texts up to 15 bytes lie within it.
    var byteCount: Int { label.utf8.count > 15 ? label.utf8.count + 48 : 0 }

    package static func == (a: CacheDetail, b: CacheDetail) -> Bool {
        a.kind == b.kind && a.flags == b.flags && ExactText(a.label) == ExactText(b.label)
    }
}

/// What an entry is made from.
package struct CacheContent: Sendable {
    package var body: Bytes?
    package var gzipBody: Bytes?
    package var detail = CacheDetail()
    package var marker: CacheMarker?
    package var stamp: GenerationStamp?
    /// The data's version from before it was read; 0 if not known.
    package var version: UInt64 = 0
    package var tags: [UInt64] = []
    package var cost = Duration.zero
    /// Whether other nodes may have it.
    package var isShareable = true
    /// What will hang on the entry, such as a prepared reply, takes up so many bytes.
    package var attachedBytes = 0

    package init(body: Bytes) { self.body = body }
    package init(marker: CacheMarker) { self.marker = marker }

    /// Answers up to this size are as fast to send as they are.
    private static let compressedAboveBytes = 1024
    /// What compressing must save to be worth the memory: an eighth.
    private static let leastSaving = 8

    /// Adds the compressed form, where that pays: it is made once, for all who take it and for
    /// Redis. One that would come after `deadline` is not made.
    mutating func compress(until deadline: Deadline) {
        guard gzipBody == nil, let body, body.count > CacheContent.compressedAboveBytes,
            body.count <= Int(Int32.max)
        else { return }
        guard let smaller = gzipCompress(body.span, until: deadline),
            smaller.count <= body.count - body.count / CacheContent.leastSaving
        else { return }
        // `deflateBound` reserves more than it needs; the rest would be kept as long as this.
        gzipBody = Bytes(smaller.span)
    }

    /// The tag's name as entries keep it: the same on every node and in every run.
    package static func tag(_ name: String) -> UInt64 {
        var name = name
        return name.withUTF8 {
            Key128(hashing: UnsafeRawBufferPointer($0), key: Key128(high: 0x74_6167, low: 1)).low
        }
    }
}
