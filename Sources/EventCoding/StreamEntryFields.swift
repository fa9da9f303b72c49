import Primitives

/// Fields of a stream entry that mean something here, borrowed.
package struct StreamEntryFields {
    package var event: UnsafeRawBufferPointer?
    package var frame: UnsafeRawBufferPointer?
    package var origin: UnsafeRawBufferPointer?
    /// The id of the entry that this one stands for since erased events were taken out of it.
    package var replaces: UnsafeRawBufferPointer?

    package init(
        event: UnsafeRawBufferPointer?, frame: UnsafeRawBufferPointer?,
        origin: UnsafeRawBufferPointer?, replaces: UnsafeRawBufferPointer? = nil
    ) {
        (self.event, self.frame, self.origin) = (event, frame, origin)
        self.replaces = replaces
    }

    /// The id that the events had when their node sent them, which an erasure's end is compared with.
    package func firstID(_ entry: StreamEntryID) -> StreamEntryID {
        min(entry, replaces.flatMap { StreamEntryID($0) } ?? entry)
    }
}
