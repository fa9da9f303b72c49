import Cache
import Primitives
import Storage

/// An answer as the cache gives it, and what it carries beside the bytes.
package struct CachedAnswer: Sendable {
    package let reply: CacheReply
    package let body: Bytes
    /// The same as one gzip member, where that is smaller.
    package let gzipBody: Bytes?
    package let format: QueryFormat
    /// 32 hexadecimal digits that stand for the bytes of `body`.
    package let digits: String
    /// The cursor of the next page; nil on the last one.
    package let next: String?
    /// There were more rows, of which there is no page.
    package let isCut: Bool

    private static let digitCount = 32

    init?(_ reply: CacheReply) {
        let detail = reply.entry.detail
        guard let body = reply.entry.body, Int(detail.kind) < QueryFormat.allCases.count else {
            return nil
        }
        self.reply = reply
        self.body = body
        gzipBody = reply.entry.gzipBody
        format = QueryFormat.allCases[Int(detail.kind)]
        digits = String(detail.label.prefix(CachedAnswer.digitCount))
        let next = String(detail.label.dropFirst(CachedAnswer.digitCount))
        self.next = next.isEmpty ? nil : next
        isCut = detail.flags & CachedAnswer.cutFlag != 0
    }

    private static let cutFlag: UInt8 = 1

    /// What the cache carries beside the bytes of `answer`.
    static func detail(_ answer: QueryAnswer) -> CacheDetail {
        CacheDetail(
            kind: UInt8(QueryFormat.allCases.firstIndex(of: answer.format) ?? 0),
            flags: answer.isCut ? cutFlag : 0,
            label: answer.etag.dropFirst().dropLast() + (answer.next ?? ""))
    }

    /// What the cache keeps of `answer`.
    /// - Parameters:
    ///   - tags: what it may be purged by.
    ///   - version: the data's, from before the answer's rows were read.
    static func content(
        _ answer: QueryAnswer, tags: [UInt64], version: UInt64
    ) -> CacheContent {
        var content = CacheContent(body: answer.body)
        content.detail = CachedAnswer.detail(answer)
        content.stamp = GenerationStamp(answer.generation)
        content.version = version
        content.tags = tags
        // A cursor counts the rows of its node, and only the hash says that another has the same.
        // Sketches are a matter of this node's declarations.
        content.isShareable =
            answer.next == nil && answer.generation.setHash != nil && !answer.isApproximate
        return content
    }
}

extension GenerationStamp {
    init(_ state: GenerationState) {
        self.init(count: state.count, setHash: state.setHash ?? 0)
    }
}

extension QueryRequest {
    /// The tag of answers over all types. No type is empty.
    package static let tagOfAllTypes = ""

    /// The tag of the answer that a plan calls `cache_key`. No type begins with a zero byte.
    package static func tag(ofKey key: String) -> String { "\0" + key }

    /// What an answer is purged by: its event types.
    var typeTags: [UInt64] {
        types.isEmpty
            ? [CacheContent.tag(QueryRequest.tagOfAllTypes)] : types.map(CacheContent.tag)
    }

    /// The same and its key.
    func cacheTags(now: Int64) -> [UInt64] {
        typeTags + [CacheContent.tag(QueryRequest.tag(ofKey: canonicalKey(now: now)))]
    }
}
