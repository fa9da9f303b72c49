import Container
import Primitives
import Telemetry

/// Who writes `/status` and `/metrics`. Each `Wiring.add…` says beside its parts which section
/// tells of them, so a new part edits no list of others.
final class ReportSections: Sendable {
    typealias Factory = @Sendable (Container) throws -> any ReportSection

    private let factories: Locked<[Factory]> = Locked([])

    /// Before the container starts; the section is made when the reports are.
    func add(_ make: @escaping Factory) { factories.withLock { $0.append(make) } }

    func reports(_ parts: Container) throws -> Reports {
        Reports(try factories.withLock { $0 }.map { try $0(parts) })
    }
}
