internal import Glibc
import Testing

/// How long the fault tests try: short in every run of the tests, long with `MILLRACE_FAULTS=long`.
enum FaultForm {
    static let isLong = getenv("MILLRACE_FAULTS").map { String(cString: $0) } == "long"

    static func pick<Value>(short: Value, long: Value) -> Value { isLong ? long : short }
}

/// Every test that loads the machine or breaks something, one after the other: they would disturb
/// each other's measure of time, and they share two cores with all other tests.
@Suite(.serialized) enum FaultTests {}
