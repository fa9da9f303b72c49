internal import Glibc
import Primitives

/// How many times slower than a plain build everything may be: sanitizers set `MILLRACE_SLOWNESS`.
package let slowness = getenv("MILLRACE_SLOWNESS").flatMap { Int(String(cString: $0)) } ?? 1

/// Waits until `condition` holds; looks every few milliseconds.
/// - Returns: false if it did not hold within `limit`, which is generous: it only ends a failure.
package func eventually(within limit: Duration = .seconds(30), _ condition: () -> Bool) -> Bool {
    let deadline = Deadline.after(limit * slowness)
    while !condition() {
        if deadline.hasPassed { return false }
        sleep(until: .after(.milliseconds(5)))
    }
    return true
}
