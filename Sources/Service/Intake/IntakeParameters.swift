import HTTPServer
import Primitives

/// The parameters of `POST /events`.
struct IntakeParameters: Sendable {
    /// How long a stronger acknowledgement is waited for unless the client says otherwise.
    static let defaultTimeoutMilliseconds = 5000
    static let timeoutRange = 1...60_000

    var ack = AckLevel.journaled
    var isStrict = false
    var timeoutMilliseconds: Int

    /// - Throws: a 400 that names the parameter.
    init(_ request: Request, defaultTimeout: Duration) throws(Problem) {
        timeoutMilliseconds = Int(defaultTimeout.wholeMilliseconds)
        guard request.hasQuery else { return }
        for (name, value) in try request.checkedParameters(["ack", "strict", "timeout_ms"]) {
            switch name {
            case "ack":
                guard let level = AckLevel(rawValue: value) else {
                    throw Problem.parameter("ack", "ack is journaled, streamed or stored.")
                }
                ack = level
            case "strict":
                guard value == "1" || value == "0" else {
                    throw Problem.parameter("strict", "strict is 1 or 0.")
                }
                isStrict = value == "1"
            default:
                guard let number = Int(value), IntakeParameters.timeoutRange.contains(number) else {
                    throw Problem.parameter(
                        "timeout_ms", "timeout_ms is a whole number from 1 to 60000.")
                }
                timeoutMilliseconds = number
            }
        }
    }
}

extension Problem {
    static func parameter(_ name: String, _ detail: String) -> Problem {
        Problem(400, "invalid_parameter", detail, parameter: name)
    }
}

extension Request {
    /// The query's parameters, each known and there once.
    /// - Parameter repeatable: names that may be there more than once.
    /// - Throws: a 400 that names the parameter; an unknown name only if it is a sane token, since
    ///   an error repeats nothing else that a client sent.
    func checkedParameters(
        _ known: [String], repeatable: [String] = []
    ) throws(Problem) -> [(name: String, value: String)] {
        let pairs: [(name: String, value: String)]
        do throws(TargetError) {
            pairs = try parameters()
        } catch {
            throw Problem(
                400, "invalid_query_string",
                error == .tooManyParameters
                    ? "There are more than \(RequestTarget.parameterLimit) parameters."
                    : "The query string has a bad escape, a zero byte, or is not UTF-8.")
        }
        var seen: Set<String> = []
        for (name, _) in pairs {
            guard known.contains(name) else {
                throw Problem(
                    400, "unknown_parameter",
                    known.isEmpty
                        ? "This path takes no parameters."
                        : "Known parameters: \(known.joined(separator: ", ")).",
                    parameter: ParameterName.shown(name))
            }
            guard seen.insert(name).inserted || repeatable.contains(name) else {
                throw Problem(
                    400, "repeated_parameter", "\(name) may be given once.", parameter: name)
            }
        }
        return pairs
    }
}
