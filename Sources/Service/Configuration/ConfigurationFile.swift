internal import Configuration
internal import Glibc
import Primitives

/// A YAML file of settings.
///
/// The keys on the way to a value, joined by hyphens, are the setting's name, so
/// `journal: { max-bytes: 1GiB }` and `journal-max-bytes: 1GiB` say the same.
struct ConfigurationFile {
    let path: String
    let snapshot: YAMLSnapshot
    /// The file's keys, joined by dots, by the names of the settings they stand for.
    private let keys: [String: String]
    private let text: String

    /// A longer file is no configuration; it is refused before it is parsed.
    private static let limitBytes = 1 << 20

    /// - Throws: one problem that says why the file cannot be read or understood.
    init(path: String, readBy origin: SettingOrigin) throws(ConfigurationError) {
        let bytes: [UInt8]
        do { bytes = try ConfigurationFile.read(path) } catch {
            throw ConfigurationError(
                "config: `\(path)` (\(origin)) cannot be read: \(error.message)")
        }
        self.path = path
        text = String(decoding: bytes, as: UTF8.self)
        // The parser refuses a file that says nothing; to us it is one that changes nothing.
        let yaml = YAMLLines.saysNothing(text) ? Array("{}".utf8) : bytes
        let seen = Locked<[String]>([])
        // The parser tells nobody which keys it found, but asks of each whether it is secret.
        let options = YAMLSnapshot.ParsingOptions(
            secretsSpecifier: .dynamic { key, _ in
                seen.withLock { $0.append(key) }
                return false
            })
        do {
            snapshot = try YAMLSnapshot(
                data: yaml.span.bytes, providerName: path, parsingOptions: options)
        } catch {
            throw ConfigurationError(
                "file \(path): is not a YAML mapping of settings: \(ConfigurationFile.reason(error))"
            )
        }
        if let line = YAMLLines.emptyMapping(in: text, besides: [SinkDeclaration.section]) {
            throw ConfigurationError(
                "file \(path):\(line): `{}` sets nothing; give the name before it a value, or leave"
                    + " both out")
        }
        keys = try ConfigurationFile.names(of: seen.withLock { $0 }, in: path)
    }

    /// What the file sets, in alphabetical order.
    var settingNames: [String] { keys.keys.sorted() }

    /// The keys on the way to a setting's value; nil if the file does not set it.
    func key(ofSetting name: String) -> [String]? {
        keys[name]?.split(separator: ".").map(String.init)
    }

    /// The line that sets a setting, from 1; nil if it cannot be told.
    func line(ofSetting name: String) -> Int? { key(ofSetting: name).flatMap(line) }

    /// The line of a key, from 1; nil if it cannot be told.
    func line(of key: [String]) -> Int? { YAMLLines.line(of: key, in: text) }

    /// All keys below one of the top level, in alphabetical order.
    func keys(of section: String) -> [[String]] {
        keys.values.sorted().map { $0.split(separator: ".").map(String.init) }
            .filter { $0.first == section }
    }

    private static func names(
        of keys: [String], in path: String
    ) throws(ConfigurationError) -> [String: String] {
        var names: [String: String] = [:]
        for key in keys {
            let name = String(key.map { $0 == "." ? "-" : $0 })
            if let other = names.updateValue(key, forKey: name) {
                throw ConfigurationError("file \(path): sets \(name) twice: \(other) and \(key)")
            }
        }
        return names
    }

    /// The first line only: the lines after it quote the file, which may hold secrets.
    private static func reason(_ error: any Error) -> String {
        "\(error)".split(separator: "\n").first.map(String.init) ?? "\(error)"
    }

    private struct ReadError: Error { let message: String }

    private static func read(_ path: String) throws(ReadError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw ReadError(message: String(cString: strerror(errno))) }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ReadError(message: String(cString: strerror(errno))) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limitBytes else {
                throw ReadError(message: "it is larger than \(ByteSize.format(limitBytes))")
            }
        }
    }
}
