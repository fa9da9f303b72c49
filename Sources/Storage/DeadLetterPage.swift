/// Some dead letters, newest first, and where to go on.
package struct DeadLetterPage: Sendable {
    package var letters: [DeadLetter] = []
    /// The `seq` below which there are more; nil when there are none. A page may be short and still
    /// have a next one: it ends before it is too large for memory.
    package var next: Int64?
}
