import Container
import HTTPServer
import Journal
import Telemetry

extension Wiring {
    /// Nothing, unless a keys file is configured.
    static func addKeys(to container: Container, _ configuration: Configuration) {
        guard let path = configuration.keysFile else { return }
        container.register(KeyKeeper.self, start: { $0.start() }, stop: { $0.stop() }) { parts in
            // The times of last use are kept in the directory that this makes and locks.
            let _: DataDirectoryLock = try parts.resolve()
            return try KeyKeeper(
                file: KeysFile(path: path), usagePath: configuration.keyUsagePath,
                log: try parts.resolve())
        }
        container.register(AuditLog.self) { parts in AuditLog(log: try parts.resolve()) }
        container.register(KeyAuthorizer.self) { parts in
            KeyAuthorizer(
                keeper: try parts.resolve(), audit: try parts.resolve(), loops: configuration.loops)
        }
    }

    /// Nil where nobody needs a key.
    static func keyAuthorizer(
        _ parts: Container, _ configuration: Configuration
    ) throws -> KeyAuthorizer? {
        configuration.keysFile == nil ? nil : try parts.resolve(KeyAuthorizer.self)
    }

    /// Whether a repeated reply may be sent: the key must still be valid. Without keys the header
    /// alone decides, and it is the same.
    static func readmission(
        _ parts: Container, _ configuration: Configuration
    ) throws -> @Sendable (Principal, Access, Int) -> Bool {
        guard let keys = try keyAuthorizer(parts, configuration) else { return { _, _, _ in true } }
        return { keys.readmit($0, $1, loop: $2) }
    }

    static func keyReport(_ parts: Container, _ configuration: Configuration) throws -> KeyReport {
        guard configuration.keysFile != nil else { return KeyReport(keeper: nil, authorizer: nil) }
        return KeyReport(
            keeper: try parts.resolve(KeyKeeper.self),
            authorizer: try parts.resolve(KeyAuthorizer.self))
    }
}
