import ArgumentParser

/// Makes, lists and revokes keys.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Add, list and revoke the keys of a keys file.",
        discussion: """
            A key is shown once, when it is added; the file holds its SHA-256. A running service \
            reads the file again within a second of a change, and on SIGHUP.

              millrace keys add --keys-file keys.yaml --name ci --scope events:write
              millrace keys list --keys-file keys.yaml
              millrace keys revoke --keys-file keys.yaml ci

            The keys file can also be named by MILLRACE_KEYS_FILE, or by keys-file in the file of \
            --config.

            Scopes: \(KeyScope.list).
            """,
        subcommands: [AddKeyCommand.self, ListKeysCommand.self, RevokeKeyCommand.self])
}

/// Where the keys are.
struct KeysFileOptions: ParsableArguments {
    @Option(\.keysFile) var keysFile: SettingFlag?
    @Option(\.config) var config: SettingFlag?
    @Option(\.dataDir) var dataDir: SettingFlag?

    /// - Throws: the exit code of a refused configuration, if no keys file is named.
    func resolve() throws -> (file: KeysFile, dataDirectory: String) {
        let values = try Startup.settings(flags: SettingFlag.given(in: self))
        guard let path = values[\.keysFile] else {
            StandardStream.error.write(
                "millrace: no keys file is named; say which with --keys-file or "
                    + "MILLRACE_KEYS_FILE\n")
            throw ExitCode(Startup.configurationRefused)
        }
        return (KeysFile(path: path), values[\.dataDir])
    }

    /// Says why something about the file did not go well.
    static func failed(_ error: KeysError) -> ExitCode {
        StandardStream.error.write(
            "millrace: " + error.problems.joined(separator: "\nmillrace: ") + "\n")
        return .failure
    }
}
