import ArgumentParser

/// Runs the service until SIGTERM or SIGINT.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the service (the default command).",
        discussion: """
            Examples:

              millrace serve
              millrace serve --port 9000 --data-dir /var/lib/millrace --retention 90d
              millrace serve --config millrace.yaml

            Once it runs: GET /healthz and /readyz say how it is, /status what it does, \
            /metrics the same for Prometheus, /openapi.yaml everything it understands.

            Sizes are written 4096, 64KiB, 10MiB, 1GiB; durations 100ms, 30s, 5m, 12h, 7d.
            """)

    @OptionGroup var settings: SettingOptions

    func run() throws {
        let configuration = try Startup.configuration(flags: settings.given)
        throw ExitCode(Service.run(configuration))
    }
}
