import ArgumentParser

/// Runs store and sinks without taking events over HTTP, until SIGTERM or SIGINT.
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run store and sinks on what other nodes take in.",
        discussion: """
            A worker reads the streams of --redis-url: it fills a store of its own and shares the \
            work of the sinks with all other nodes. On --port it answers health, status, metrics, \
            dead letters and the list of its quarantine alone. Its name is the host's with -worker \
            behind it unless --node says otherwise; no two nodes may have the same. Nor may two \
            processes share a data directory.

              millrace worker --redis-url redis://127.0.0.1:6379 --config millrace.yaml \\
                  --data-dir ./worker-data --port 8081
            """)

    @OptionGroup var settings: SettingOptions

    func run() throws {
        let configuration = try Startup.configuration(flags: settings.given, role: .worker)
        throw ExitCode(Service.run(configuration))
    }
}
