internal import CSQLiteBudget

/// What the statements of one thread may take from the machine, all together.
///
///     try connection.withBudget(budget) {
///         let statement = try connection.prepare(sql)
///         connection.allow(bytes: budget.runBytes)
///         while try statement.step() { … }
///     }
///
/// SQLite asks nobody while it compiles, so its allocator refuses: beyond these bounds, when the stack
/// is deep, and after the deadline of the connection. The statement then fails, and its error says which
/// bound it met.
package struct StatementBudget: Sendable {
    package enum Bound: Sendable { case memory, time, stack, files }

    /// While a statement is compiled. Text of 64 KiB takes 1 to 3 MiB; beyond this SQLite would also
    /// compare its parts with each other for longer than anybody wants to wait.
    package var compileBytes = 8 << 20
    /// While it runs.
    package var runBytes = 64 << 20
    /// Of temporary files at any one time: what is sorted, grouped or kept for later goes there.
    package var fileBytes = 256 << 20

    package init() {}

    /// The bound that the thread's budget met last.
    static var boundMet: Bound? {
        switch millrace_sqlite_budget_met() {
        case MILLRACE_BOUND_MEMORY: .memory
        case MILLRACE_BOUND_TIME: .time
        case MILLRACE_BOUND_STACK: .stack
        case MILLRACE_BOUND_FILES: .files
        default: nil
        }
    }
}

extension Connection {
    /// Runs `body`, in which SQLite keeps to `budget` on this thread, with the memory for compiling.
    /// The deadline is that of `limit`, which must be set before. Not within another budget.
    package func withBudget<Result, Failure: Error>(
        _ budget: StatementBudget, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let context = Unmanaged.passUnretained(self).toOpaque()
        millrace_sqlite_budget_begin(
            budget.compileBytes, budget.fileBytes, shouldStopNow, context)
        defer { millrace_sqlite_budget_end() }
        return try body()
    }

    /// Within `withBudget`: changes how much memory there is.
    package func allow(bytes: Int) { millrace_sqlite_budget_allow(bytes) }
}

private func shouldStopNow(_ context: UnsafeMutableRawPointer?) -> Bool {
    guard let context else { return false }
    return Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue().shouldStop
}
