internal import CAllocations

/// How often the calling thread has asked for memory: exact, every call of `malloc` and its kin is
/// counted (`CAllocations`).
enum AllocationCount {
    /// Since the thread began; nil in a build that does not count, such as one with a sanitizer.
    static var now: UInt64? {
        millrace_allocations_are_counted() ? millrace_allocations() : nil
    }

    /// Allocations for each of `operations` since `start`; nothing in a build that does not count.
    static func figures(since start: UInt64?, operations: Int, of what: String) -> [Figure] {
        guard let start, let now, operations > 0 else { return [] }
        let each = Double(now - start) / Double(operations)
        return [Figure("allocations/\(what)", .count, each)]
    }
}
