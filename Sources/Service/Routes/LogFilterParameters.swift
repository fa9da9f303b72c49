import HTTPServer
import Logs
import Primitives
import Query

/// The parameters that say which logs are asked for, the same for every route of logs.
struct LogFilterParameters {
    static let names = ["level", "service", "trace_id", "from", "to", "q"]
    static let lists = ["service"]
    /// Services in one question.
    private static let serviceLimit = 100
    /// Fewer words than `LogTerms.limit`, since each has a separator.
    private static let queryCharacters = 256

    private let now = WallClock.nowMilliseconds()
    private(set) var filter = LogFilter()
    /// `q` was given and asks for nothing: an empty variable in somebody's command, most likely.
    var isQueryBlank: Bool { given.contains("q") && filter.terms == nil }
    /// Which of them were given, for records of what was done.
    private(set) var given: [String] = []

    /// - Returns: false for a parameter that is none of these.
    mutating func take(_ parameter: Parameter) throws(Problem) -> Bool {
        let value = parameter.value
        switch parameter.name {
        case "level": filter.severity = try LogFilterParameters.severity(value)
        case "service":
            let services = parameter.elements.filter { !$0.isEmpty }
            guard (1...LogFilterParameters.serviceLimit).contains(services.count) else {
                throw .parameter(
                    "service",
                    "service is a comma list of 1 to "
                        + "\(LogFilterParameters.serviceLimit) names.")
            }
            filter.services = services
        case "trace_id":
            var text = value
            guard let id = text.withUTF8({ HexID.trace(UnsafeRawBufferPointer($0)) }) else {
                throw .parameter("trace_id", "trace_id is 32 hexadecimal digits, not all zero.")
            }
            filter.traceID = id
        case "from": filter.from = try parameter.moment(now: now)
        case "to": filter.to = try parameter.moment(now: now)
        case "q": filter.terms = try LogFilterParameters.terms(value)
        default: return false
        }
        given.append(parameter.name)
        return true
    }

    /// What was asked for, once all parameters were taken.
    func checked() throws(Problem) -> LogFilter {
        if let from = filter.from, let to = filter.to, from >= to {
            throw .parameter("from", "from must be before to.")
        }
        return filter
    }

    private static func severity(_ value: String) throws(Problem) -> UInt8 {
        var text = value
        if let number = text.withUTF8({ LogSeverity.number(UnsafeRawBufferPointer($0)) }) {
            return number
        }
        guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt8(value),
            (1...24).contains(number)
        else {
            throw .parameter(
                "level",
                "level is trace, debug, info, notice, warn, error, critical, alert, "
                    + "fatal, or a severity number from 1 to 24.")
        }
        return number
    }

    /// Nothing but white space asks for nothing.
    private static func terms(_ value: String) throws(Problem) -> LogTerms? {
        guard value.unicodeScalars.count <= queryCharacters else {
            throw .parameter("q", "q is at most \(queryCharacters) characters.")
        }
        return LogTerms(value)
    }
}
