import Container
import Masking

extension Wiring {
    /// The one masker of the service. It is made with the configuration, since the log, which is
    /// there before all other parts, masks as well.
    static func addMasking(
        to container: Container, _ configuration: Configuration, _ reports: ReportSections
    ) {
        container.register(Masker.self) { _ in configuration.masking.masker }
        reports.add { _ in MaskingSection(settings: configuration.masking) }
    }
}
