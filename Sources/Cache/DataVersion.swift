/// How often the data has changed, as one number: while it stays, everything that was right still
/// is. Reading it is cheap, so a hit on an event loop can be as strict as a question to the store.
///
/// The number grows after a commit is visible to readers and before anybody is told of the commit.
package final class DataVersion: Sendable {
    private let read: @Sendable () -> UInt64

    /// - Parameter read: returns 0 while a change is under way, which vouches for nothing.
    package init(_ read: @escaping @Sendable () -> UInt64) { self.read = read }

    /// Asked before the data is read.
    package var current: UInt64 { read() }
}
