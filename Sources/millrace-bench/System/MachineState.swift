import Primitives
import ProcessSupport

/// What else the figures depend on.
struct MachineState {
    let processors = Processors.available
    /// Of the last minute, when the run began: more than a little means that others were working.
    let loadBefore = MachineState.load

    /// The first number of `/proc/loadavg`.
    static var load: Double {
        FileSystem.text("/proc/loadavg").split(separator: " ").first.flatMap { Double($0) } ?? 0
    }

    static var isDebugBuild: Bool {
        #if DEBUG
            true
        #else
            false
        #endif
    }

    var json: JSONValue {
        .object([
            ("processors", .integer(Int64(processors))),
            ("load_before", .double(loadBefore)),
            ("load_after", .double(MachineState.load)),
            ("debug_build", .bool(MachineState.isDebugBuild)),
        ])
    }
}
