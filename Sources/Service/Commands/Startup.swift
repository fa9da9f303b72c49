import ArgumentParser

/// What every command does first: read the settings, or say what is wrong with them and end.
enum Startup {
    /// EX_CONFIG of sysexits.h. A command line that cannot be parsed ends with EX_USAGE (64).
    static let configurationRefused: Int32 = 78

    /// Names and single values are checked, but not whether they go together.
    static func settings(flags: [String: String]) throws -> ResolvedSettings {
        do {
            return try SettingsResolver.resolve(
                flags: flags, environment: ProcessEnvironment.variables())
        } catch { throw refused(error) }
    }

    /// Masking alone, for a command that needs nothing else of the configuration.
    static func masking(flags: [String: String]) throws -> MaskingSettings {
        let values = try settings(flags: flags)
        do { return try MaskingSettings(values) } catch { throw refused(error) }
    }

    static func configuration(
        flags: [String: String], role: ServiceRole = .serve
    ) throws -> Configuration {
        do {
            return try Configuration.load(
                flags: flags, environment: ProcessEnvironment.variables(), role: role)
        } catch { throw refused(error) }
    }

    private static func refused(_ error: ConfigurationError) -> ExitCode {
        StandardStream.error.write("millrace: \(error)\n")
        return ExitCode(configurationRefused)
    }
}
