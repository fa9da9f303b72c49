import HTTPServer
import Primitives

/// The parameters of `POST /events`.
struct IntakeParameters: Sendable {
    static let timeoutRange = 1...60_000

    var ack = AckLevel.journaled
    var isStrict = false
    var timeoutMilliseconds: Int

    /// - Throws: a 400 that names the parameter.
    init(_ request: Request, defaultTimeout: Duration) throws(Problem) {
        timeoutMilliseconds = Int(defaultTimeout.wholeMilliseconds)
        guard request.hasQuery else { return }
        for parameter in try request.checkedParameters(["ack", "strict", "timeout_ms"]) {
            let value = parameter.value
            switch parameter.name {
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
    /// - Parameters:
    ///   - known: every name that the route has.
    ///   - lists: those of them that take a comma list. A repeated one comes back as one parameter
    ///     with all elements.
    /// - Throws: a 400 that names the parameter.
    func checkedParameters(
        _ known: [String], lists: [String] = []
    ) throws(Problem) -> [Parameter] {
        var checked: [Parameter] = []
        for parameter in try readParameters() {
            let name = parameter.name
            guard known.contains(name) else {
                throw Problem(
                    400, "unknown_parameter",
                    known.isEmpty
                        ? "This path takes no parameters."
                        : "Known parameters: \(known.joined(separator: ", ")).",
                    parameter: ParameterName.shown(name))
            }
            guard let first = checked.firstIndex(where: { $0.name == name }) else {
                checked.append(parameter)
                continue
            }
            guard lists.contains(name) else {
                throw Problem(
                    400, "repeated_parameter", "\(name) may be given once.", parameter: name)
            }
            checked[first].append(parameter)
        }
        return checked
    }

    private func readParameters() throws(Problem) -> [Parameter] {
        do throws(TargetError) { return try parameters() } catch {
            throw Problem(
                400, "invalid_query_string",
                error == .tooManyParameters
                    ? "There are more than \(RequestTarget.parameterLimit) parameters."
                    : "The query string has a bad escape, a zero byte, or is not UTF-8.")
        }
    }
}
