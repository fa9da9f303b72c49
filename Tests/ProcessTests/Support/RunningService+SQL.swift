import Primitives
import TestSupport

extension RunningService {
    /// Asks in SQL, by POST.
    /// - Parameter more: further members of the body, each with a comma in front.
    func sql(
        _ statement: String, _ more: String = "", headers: [String: String] = [:]
    ) throws -> ClientReply {
        var body = ByteBuffer()
        body.append("{\"q\":")
        body.append(jsonString: statement)
        body.append(more + "}")
        return try post(
            "/query/sql", Array(body.text.utf8), type: "application/json", headers: headers)
    }

    /// The rows of an answer; the failed answer in the error.
    func sqlRows(_ statement: String, _ more: String = "") throws -> [[JSONTree]] {
        let reply = try sql(statement, more)
        guard reply.status == 200 else { throw TestError("\(statement): \(reply.text)") }
        return try reply.json()["rows"]?.elements.map(\.elements) ?? []
    }

    /// Stores events of one type whose data is `{"n":0,"data":…}` and so on.
    func storeNumbers(_ count: Int, type: String = "t", data: String = "") throws {
        for start in stride(from: 0, to: count, by: 50_000) {
            let lines = (start..<min(start + 50_000, count)).map {
                #"{"type":"\#(type)","subject":"s\#($0 % 50)","data":{"n":\#($0)\#(data)}}"#
            }
            let reply = try post("/events?ack=stored&timeout_ms=60000", lines: lines)
            guard reply.status == 200 else { throw TestError("not stored: \(reply.text)") }
        }
    }
}
