internal import Glibc
import TestSupport
import Testing

/// How long the fault tests try: short in every run of the tests, long with `MILLRACE_FAULTS=long`.
enum FaultForm {
    static let isLong = getenv("MILLRACE_FAULTS").map { String(cString: $0) } == "long"

    static func pick<Value>(short: Value, long: Value) -> Value { isLong ? long : short }
}

/// Every test that kills, fills, slows or breaks something.
@Suite(.processes) enum FaultTests {}
