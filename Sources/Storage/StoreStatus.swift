/// What a store says about itself. Cheap: counters that are kept as they change, and two `stat`s.
package struct StoreStatus: Sendable, Equatable {
    /// Events in the store.
    package var rows: Int64 = 0
    /// Highest `seq` ever given.
    package var lastSeq: Int64 = 0
    /// Last journal record that is stored.
    package var position: UInt64 = 0
    /// Last journal record that is stored so that a power failure cannot take it away.
    package var durablePosition: UInt64 = 0
    package var quarantined: Int64 = 0
    /// Refused events that went to make room, ever.
    package var quarantineTrimmed: Int64 = 0
    /// Refused events that were lost because they came faster than they could be kept.
    package var quarantineDropped: UInt64 = 0
    /// Events that receivers of sinks refused for good.
    package var deadLetters: Int64 = 0
    /// Dead letters that went to make room, ever.
    package var deadLettersTrimmed: Int64 = 0
    /// Events of which nothing but the identity is left, see `Erasure`.
    package var erasedIdentities: Int64 = 0
    /// Generations have set hashes; false while a store of an earlier version is being read.
    package var areSetHashesKnown = false
    /// Every identity is known, so that events can be stored; see `EventStore.isReadyToWrite`.
    package var isReadyToWrite = false
    /// The identity index is being read from the rows, or has just been.
    package var hasIdentityWork = false
    /// Of the database file.
    package var fileBytes: Int64 = 0
    /// Of the write-ahead log.
    package var logBytes: Int64 = 0
    /// Pages of the file that hold nothing; they are given back little by little.
    package var freePages: Int64 = 0
    /// An `fsync` failed: nothing is taken until the store is opened anew.
    package var isSyncFailed = false
}
