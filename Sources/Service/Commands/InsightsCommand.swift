import ArgumentParser
import Primitives
import Query

/// Asks a running service how its callers ask, and fails a build whose requests one could replace.
struct InsightsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "insights",
        abstract: "Show patterns of questions that one question could replace.",
        discussion: """
            Finds the service by the host and port it was configured with, or by --url. With \
            --fail-on the exit code is 1 if there is a pattern of that kind: run the tests of a \
            program against a service of its own, and then this.

              millrace insights --port 9000
              millrace insights --url http://10.0.0.7:8080 --key-file ci.key --fail-on n_plus_one

            Kinds: \(kinds).
            """)

    private static let kinds = InsightKind.allCases.map(\.rawValue).joined(separator: ", ")

    @Option(
        help: ArgumentHelp("Where to ask instead, as http://host:port", valueName: "url"),
        transform: { text in
            guard let target = HealthTarget(url: text), target.path == nil else {
                throw ValidationError("it is not of the form http://host:port")
            }
            return target
        })
    var url: HealthTarget?

    @Option(
        help: ArgumentHelp("File that holds a key with the scope query", valueName: "file"))
    var keyFile: String?

    @Option(
        help: ArgumentHelp("Kinds of patterns that must not be there", valueName: "kinds"),
        transform: { text in
            try text.split(separator: ",", omittingEmptySubsequences: false).map { name in
                guard let kind = InsightKind(rawValue: String(name)) else {
                    throw ValidationError("a kind is one of \(kinds)")
                }
                return kind
            }
        })
    var failOn: [InsightKind] = []

    @Option(\.host) var host: SettingFlag?
    @Option(\.port) var port: SettingFlag?
    @Option(\.config) var config: SettingFlag?

    private static let timeout = Duration.seconds(10)
    private static let keyLimitBytes = 4096

    func run() throws {
        let target = try target()
        let found: [JSONValue]
        do {
            let body = try HealthRequest(
                target: target, path: "/query/insights", timeout: InsightsCommand.timeout
            ).body(key: try key())
            let text = String(decoding: body, as: UTF8.self)
            found = try JSONValue.parse(text)["insights"]?.elements ?? []
        } catch {
            StandardStream.error.write("failed: \(error)\n")
            throw ExitCode.failure
        }
        for insight in found { StandardStream.output.write(InsightsCommand.text(insight)) }
        let wrong = found.count { insight in
            failOn.contains { $0.rawValue == insight["kind"]?.text }
        }
        if failOn.isEmpty || wrong == 0 {
            return StandardStream.output.write("ok: \(found.count) patterns\n")
        }
        StandardStream.error.write("failed: \(wrong) patterns that must not be there\n")
        throw ExitCode.failure
    }

    private func target() throws -> HealthTarget {
        if let url { return url }
        let values = try Startup.settings(flags: SettingFlag.given(in: self))
        return HealthTarget(listening: values[\.host], port: values[\.port])
    }

    private func key() throws -> String? {
        guard let keyFile else { return nil }
        let text: String
        do throws(TextFile.Failure) {
            text = try TextFile.read(keyFile, limitBytes: InsightsCommand.keyLimitBytes)
        } catch {
            throw ValidationError("\(keyFile) cannot be read: \(error.reason)")
        }
        let key = text.filter { !$0.isWhitespace }
        guard key.allSatisfy({ $0.isASCII && !$0.isNewline }) else {
            throw ValidationError("\(keyFile) holds no key")
        }
        return key
    }

    /// Some lines for people.
    private static func text(_ insight: JSONValue) -> String {
        func member(_ name: String) -> String {
            switch insight[name] {
            case .string(let text): text
            case .integer(let number): "\(number)"
            case .double(let number): "\(Int64(number.rounded()))"
            default: ""
            }
        }
        var text =
            "\(member("kind")): \(member("caller")) asked \(member("path")) "
            + "\(member("count")) times in \(member("total_ms")) ms"
        if case .string(let parameter)? = insight["parameter"] {
            text += ", each with another \(parameter)"
        }
        text += " (\(member("fingerprint")))\n"
        if case .string(let url)? = insight["replacement"] { text += "    ask once: \(url)\n" }
        return text
    }
}
