import Primitives

/// Names one opening of a journal: 12 hexadecimal digits, drawn at random.
///
/// DESIGN. A record's sequence alone does not say which event it is: a journal that was lost, or came
/// back from an older copy, gives the same sequences to other events. So an entry of a stream names
/// the journal and the sequence, and a node skips an entry only if this very journal wrote it. The
/// identity is not kept in a file: a copy of the files would have it too, and nothing in them can
/// tell that they are older than what Redis was sent. Each opening of the journal draws a new one, and
/// so does the writer that finds a record of it gone (`Journal.renewIdentity`). The price is that
/// entries which were not acknowledged before a restart are stored as another node's are: the store
/// finds their events there already.
///
/// A name vouches only for records that the store takes under it, which lie above its *floor*. A record
/// whose first reading failed may be readable for the forwarder later, though the store has passed it: it
/// is sent in no journal's name, so that this node stores it as another's.
package struct JournalIdentity: Hashable, Sendable, CustomStringConvertible {
    private static let digits = 12
    private let value: UInt64
    /// The store had passed the records up to this one before the journal had this name.
    package let floor: UInt64

    static func random(above floor: UInt64 = 0) -> JournalIdentity {
        JournalIdentity(
            value: UInt64.random(in: 0..<1 << (4 * UInt64(digits))), floor: floor)
    }

    /// A name that no journal has.
    package static var unused: JournalIdentity { .random(above: .max) }

    package var description: String {
        var text = ByteBuffer(capacity: JournalIdentity.digits)
        text.append(hex: value, digits: JournalIdentity.digits)
        return text.text
    }
}
