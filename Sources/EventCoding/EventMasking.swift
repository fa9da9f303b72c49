import Masking
import Primitives
import Storage

/// What is masked of events: of each refused one its preview, and where the configuration says so the
/// `data` of those that are taken in, before a byte of it reaches the journal or the store.
package struct EventMasking: Sendable {
    /// Masks previews.
    package let masker: Masker
    /// Masks data; nil leaves all data as it was sent.
    private let dataMasker: Masker?
    private let types: EventTypePatterns

    /// For previews alone.
    package init(_ masker: Masker = .standard) {
        self.masker = masker
        dataMasker = nil
        types = EventTypePatterns([])
    }

    /// - Parameters:
    ///   - dataMasker: of the classes and rules that are wanted in data.
    ///   - types: `order.paid`, `web.*`, `*`; of other events the data stays.
    package init(_ masker: Masker, dataMasker: Masker, types: [String]) {
        self.masker = masker
        self.dataMasker = dataMasker
        self.types = EventTypePatterns(types)
    }

    /// The row with its data masked. What it borrows of `space` is valid until that is used again.
    package func masked(_ row: EventRow, in space: inout ByteBuffer) -> EventRow {
        guard let dataMasker, let data = row.data, types.match(row.type) else { return row }
        space.removeAll()
        guard dataMasker.replace(data, as: .json, at: "data", into: &space) else { return row }
        var masked = row
        masked.data = space.span
        return masked
    }

    /// Whether `masked` may change a row.
    package var masksData: Bool { dataMasker != nil }

    /// What quarantine keeps of a refused event. Its type may be what is wrong with it, so all of it
    /// is masked where any data is.
    package func kept(_ raw: UnsafeRawBufferPointer) -> Bytes {
        guard let dataMasker else { return Bytes(raw) }
        var masked = ByteBuffer(capacity: raw.count + 64)
        dataMasker.mask(raw, as: .json, into: &masked)
        return masked.freeze()
    }

    /// The preview of `raw`, a JSON text.
    package func preview(_ raw: UnsafeRawBufferPointer) -> String {
        var preview = ByteBuffer(capacity: 256)
        masker.appendPreview(of: raw, to: &preview)
        return preview.text
    }
}
