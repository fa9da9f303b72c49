import ArgumentParser
import Primitives

/// Asks a running service how it is: for containers and scripts.
struct HealthcheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "healthcheck",
        abstract: "Ask a running service how it is; exit code 0 if it is well, 1 if not.",
        discussion: """
            Finds the service by the host and port it was configured with (flags, MILLRACE_HOST \
            and MILLRACE_PORT, or the file), or by --url.

              millrace healthcheck --port 9000
              millrace healthcheck --ready --url http://10.0.0.7:8080
            """)

    @Option(
        help: ArgumentHelp("Where to ask instead, as http://host:port", valueName: "url"),
        transform: { text in
            guard let target = HealthTarget(url: text) else {
                throw ValidationError("it is not of the form http://host:port")
            }
            return target
        })
    var url: HealthTarget?

    @Flag(help: "Ask whether it is ready for requests, not only whether it runs.")
    var ready = false

    @Option(
        help: ArgumentHelp("Time to wait for an answer (default: 3s)", valueName: "duration"),
        transform: { text in
            guard let duration = DurationText.parse(text) else {
                throw ValidationError("it is no duration, such as 500ms or 3s")
            }
            return duration
        })
    var timeout: Duration?

    @Option(\.host) var host: SettingFlag?
    @Option(\.port) var port: SettingFlag?
    @Option(\.config) var config: SettingFlag?

    func run() throws {
        let target = try target()
        let health = HealthRequest(
            target: target, path: target.path ?? (ready ? "/readyz" : "/healthz"),
            timeout: timeout ?? .seconds(3))
        do { StandardStream.output.write("ok: \(try health.send())\n") } catch {
            StandardStream.error.write("failed: \(error)\n")
            throw ExitCode.failure
        }
    }

    private func target() throws -> HealthTarget {
        if let url { return url }
        let values: ResolvedSettings
        do { values = try Startup.settings(flags: SettingFlag.given(in: self)) } catch {
            // A container engine takes other codes for something else than "not well".
            throw ExitCode.failure
        }
        return HealthTarget(listening: values[\.host], port: values[\.port])
    }
}
