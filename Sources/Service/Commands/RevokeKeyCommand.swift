import ArgumentParser

/// Takes a key out of the file; the service refuses it from the next second on.
struct RevokeKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Remove a key; the service refuses it within a second.")

    @Argument(help: ArgumentHelp("Name of the key", valueName: "name"))
    var name: String

    @OptionGroup var options: KeysFileOptions

    func run() throws {
        let (file, _) = try options.resolve()
        do throws(KeysError) {
            try file.change { (keys) throws(KeysError) in try keys.removing(name) }
        } catch {
            throw KeysFileOptions.failed(error)
        }
        StandardStream.error.write("Key \(name) is revoked.\n")
    }
}
