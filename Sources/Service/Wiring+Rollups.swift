import Container
import Query
import Storage
import Telemetry

extension Wiring {
    /// Rollups are kept by the store, in the transactions of its rows.
    static func addRollups(
        to container: Container, _ configuration: Configuration, _ reports: ReportSections
    ) {
        reports.add { parts in RollupSection(rollups: try parts.resolve()) }
        container.register(RollupSet.self) { _ in RollupSet(configuration.rollups) }
        container.register(RollupRoutes.self) { parts in
            RollupRoutes(
                rollups: try parts.resolve(), store: try parts.resolve(),
                writer: try parts.resolve(), readers: try parts.resolve(name: "query"),
                log: try parts.resolve())
        }
    }

    /// What is declared; nil for nothing, and the store then drops what it has.
    static func rollups(
        _ parts: Container, _ configuration: Configuration
    ) throws -> RollupSet? {
        configuration.rollups.isEmpty ? nil : try parts.resolve(RollupSet.self)
    }
}
