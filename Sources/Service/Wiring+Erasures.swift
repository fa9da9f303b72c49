import Cache
import Container
import Ingest
import Query
import Storage
import Telemetry

/// Erasing events, here and wherever answers are kept.
extension Wiring {
    static func addErasures(
        to container: Container, _ configuration: Configuration, _ reports: ReportSections
    ) {
        reports.add { parts in ErasureSection(store: try parts.resolve()) }
        container.register(
            EventErasures.self, start: { $0.start() }, stop: { $0.stop() }
        ) { parts in
            let erasures = EventErasures(
                journal: try parts.resolve(), store: try parts.resolve(),
                writer: try parts.resolve(), streams: try ifStreaming(parts, configuration),
                node: configuration.node, directory: configuration.dataDirectory,
                log: try parts.resolve())
            // A worker answers no queries, so it keeps no answers.
            guard configuration.role == .serve else { return erasures }
            let cache: AnswerCache = try parts.resolve()
            let insights: QueryInsights = try parts.resolve()
            erasures.onErased {
                _ = cache.purge(.all)
                insights.forget()
                return cache.shared?.removeAll() ?? true
            }
            return erasures
        }
        container.register(ErasureRoutes.self) { parts in
            ErasureRoutes(
                erasures: try parts.resolve(), store: try parts.resolve(),
                readers: try parts.resolve(name: "query"), log: try parts.resolve())
        }
    }
}
