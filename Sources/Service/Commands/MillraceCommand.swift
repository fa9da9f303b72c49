import ArgumentParser

/// The command line. `millrace` alone means `millrace serve`.
struct MillraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace",
        abstract: "Takes in events over HTTP, keeps them safe, and answers questions about them.",
        discussion: """
            Start it, send an event, ask:

              millrace serve --data-dir ./data
              curl localhost:8080/events --json '{"type":"signup","plan":"pro"}'
              curl 'localhost:8080/query?metric=count&event=signup'

            Every setting can be given in three ways; the first that is set wins:

              --journal-max-bytes 1GiB               a flag
              MILLRACE_JOURNAL_MAX_BYTES=1GiB        an environment variable
              journal: { max-bytes: 1GiB }           in the YAML file that --config names

              millrace serve --help                  lists them
              millrace check --print-config          shows them, and where each came from

            Exit codes: 0 done, 1 failed, 64 the command line is not understood, 78 the \
            configuration is refused.
            """,
        version: Version.current,
        subcommands: [
            ServeCommand.self, WorkerCommand.self, CheckCommand.self, KeysCommand.self,
            HealthcheckCommand.self,
            MaskCommand.self, InsightsCommand.self,
        ],
        defaultSubcommand: ServeCommand.self)
}
