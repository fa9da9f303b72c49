import Primitives

/// What every benchmark is given.
struct Bench {
    /// How long one side of one round works.
    let time: Duration
    let rounds: Int
    /// Rows of the store that is scanned.
    let rows: Int
    /// Ids that one side of `identity` stores.
    let ids: Int
    /// A file of events, one a line, that `dashboard` asks about; nil for made ones.
    let eventsPath: String?
    /// A folder that keeps generated stores from one run to the next; nil keeps none.
    let samplesPath: String?
    /// A Python, which may have the module `duckdb`.
    let python: String
    /// Where data may lie; goes away at the end.
    let scratch: ScratchDirectory
    /// The release binary of the service.
    let serverPath: String
}
