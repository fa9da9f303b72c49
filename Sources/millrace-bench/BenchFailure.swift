/// Why a benchmark has no figures: something could not be done, or a result was wrong.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Runs `body`; what it throws says that `what` failed.
func attempt<Value: ~Copyable, Cause: Error>(
    _ what: String, _ body: () throws(Cause) -> Value
) throws(BenchFailure) -> Value {
    do throws(Cause) { return try body() } catch { throw BenchFailure("\(what): \(error)") }
}
