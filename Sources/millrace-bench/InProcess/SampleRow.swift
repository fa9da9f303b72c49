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

    private let types = [Bytes(signUp), Bytes(pageView)]
    private let source = Bytes("/shop")
    private var generator = UUIDv7Generator()
    private var id = ByteBuffer(capacity: 32)
    private var data = ByteBuffer(capacity: 128)

    static func time(_ index: Int) -> Int64 { start + Int64(index) * stepMilliseconds }
    static func isSignUp(_ index: Int) -> Bool { index / SampleEvents.countryCount % 4 == 0 }

    /// Inserts row number `index`.
    /// - Returns: false if the store has it already.
    func insert(
        _ index: Int, _ identity: Identity, with inserter: EventInserter
    ) throws(StorageError) -> Bool {
        let time = SampleRow.time(index)
        data.removeAll()
        data.append(#"{"path":"/products/"#)
        data.append(decimal: index % 100)
        data.append(#"","ms":"#)
        data.append(decimal: index % 1000)
        data.append(#","country":""#)
        data.append(SampleEvents.country(index))
        data.append(#""}"#)
        id.removeAll()
        id.append("order-")
        id.append(decimal: index)
        let row = EventRow(
            identity: identity == .client
                ? .client(id.span) : .generated(generator.next(milliseconds: time)),
            time: time, type: types[SampleRow.isSignUp(index) ? 0 : 1].span, source: source.span,
            subject: nil, data: data.span, extensions: nil)
        return try inserter.insert(row)
    }
}
