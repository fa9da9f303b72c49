import Primitives
import Storage

/// Rows as the store takes them, made without decoding. Not thread-safe.
///
/// Number `index` happened `stepMilliseconds` after the one before it; every fourth group of eight
/// is a sign-up, the others are page views; countries go round, and `ms` counts to 999.
final class SampleRow {
    enum Identity { case generated, client }

    static let start: Int64 = 1_767_225_600_000  // 2026-01-01T00:00:00Z
    static let stepMilliseconds: Int64 = 604
    static let pageView = "page_view"
    static let signUp = "signup"
    static let pathCount = 100

    private let types = [Bytes(signUp), Bytes(pageView)]
    private let source = Bytes("/shop")
    private var generator = UUIDv7Generator()
    /// The bytes that the rows of a transaction borrow: it must not move while they do.
    private var text = ByteBuffer(capacity: mostRows * bytesPerRow)

    /// Rows between two calls of `flush`.
    static let mostRows = 20_000
    private static let bytesPerRow = 128

    static func time(_ index: Int) -> Int64 { start + Int64(index) * stepMilliseconds }
    static func isSignUp(_ index: Int) -> Bool { index / SampleEvents.countryCount % 4 == 0 }

    /// Adds row number `index`; call `flush` after the last of a transaction.
    func add(
        _ index: Int, _ identity: Identity, to inserter: EventInserter
    ) throws(StorageError) {
        precondition(text.count + SampleRow.bytesPerRow <= text.capacity, "too many rows at once")
        let time = SampleRow.time(index)
        let dataStart = text.count
        SampleRow.appendData(index, to: &text)
        let idStart = text.count
        text.append("order-")
        text.append(decimal: index)
        let data = UnsafeRawBufferPointer(rebasing: text.span[dataStart..<idStart])
        let id = UnsafeRawBufferPointer(rebasing: text.span[idStart...])
        try inserter.add(
            EventRow(
                identity: identity == .client
                    ? .client(id) : .generated(generator.next(milliseconds: time)),
                time: time, type: types[SampleRow.isSignUp(index) ? 0 : 1].span,
                source: source.span, subject: nil, data: data, extensions: nil))
    }

    /// The data of row number `index`, as JSON.
    static func appendData(_ index: Int, to text: inout ByteBuffer) {
        // No two alike: a column of few texts is another problem for those who compress columns.
        text.append(#"{"order":"#)
        text.append(decimal: index)
        text.append(#","path":"/products/"#)
        text.append(decimal: index % pathCount)
        text.append(#"","ms":"#)
        text.append(decimal: index % 1000)
        text.append(#","country":""#)
        text.append(SampleEvents.country(index))
        text.append(#""}"#)
    }

    /// Ends the rows of a transaction.
    func flush(_ inserter: EventInserter) throws(StorageError) {
        if let rejected = try inserter.flush().first { throw rejected.error }
        text.removeAll()
    }
}
