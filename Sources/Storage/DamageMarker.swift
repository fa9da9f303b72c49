internal import Glibc

/// A note beside the database that SQLite found it damaged while it was in use, so that the next
/// start looks at all of it before trusting it. Any thread.
struct DamageMarker: Sendable {
    let path: String

    init(database path: String) { self.path = path + ".suspect" }

    var exists: Bool { access(path, F_OK) == 0 }

    /// Failing leaves the next start as trusting as before; the damage shows itself again.
    func mark() {
        let descriptor = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        if descriptor >= 0 { close(descriptor) }
    }

    func clear() { unlink(path) }
}
