import Primitives
import TestSupport

/// Makes JSON texts of every shape: white space anywhere, escapes, brackets and quotes in strings.
struct RandomJSON {
    var random: SeededGenerator

    mutating func space() -> String {
        ["", "", "", " ", "\n", "\t \r\n", "  "].randomElement(using: &random) ?? ""
    }

    mutating func string() -> String {
        let parts = [
            "a", "Z", "{", "}", "[", "]", ":", ",", " ", "\\\"", "\\\\", "\\n", "\\u0041",
            "\\ud83d\\ude00", "é", "😀", "\\/", "long enough for several words",
        ]
        let count = Int.random(in: 0...8, using: &random)
        return "\""
            + (0..<count).map { _ in parts.randomElement(using: &random) ?? "" }.joined() + "\""
    }

    mutating func scalar() -> String {
        let scalars = [
            "null", "true", "false", "0", "-1", "12.5e3", "9223372036854775807",
            "18446744073709551615", "-0.0", "1E-7",
        ]
        return Bool.random(using: &random)
            ? string() : scalars.randomElement(using: &random) ?? "0"
    }

    mutating func value(depth: Int) -> String {
        switch depth > 0 ? Int.random(in: 0...3, using: &random) : 0 {
        case 1: return object(depth: depth - 1, uniqueKeys: false)
        case 2: return array(depth: depth - 1)
        default: return scalar()
        }
    }

    mutating func array(depth: Int) -> String {
        let count = Int.random(in: 0...4, using: &random)
        let elements = (0..<count).map { _ in space() + value(depth: depth) + space() }
        return "[" + (elements.isEmpty ? space() : elements.joined(separator: ",")) + "]"
    }

    mutating func object(depth: Int, uniqueKeys: Bool) -> String {
        let count = Int.random(in: 0...6, using: &random)
        let members = (0..<count).map { index -> String in
            var key = string()
            if uniqueKeys { key = "\"\(index)" + key.dropFirst() }
            return space() + key + space() + ":" + space() + value(depth: depth) + space()
        }
        return "{" + (members.isEmpty ? space() : members.joined(separator: ",")) + "}"
    }
}

extension ByteBuffer {
    /// The bytes of `text`, with the padding that every buffer has.
    init(_ text: String) {
        self.init(capacity: text.utf8.count)
        append(text)
    }
}

/// What was thrown, where the test expects something to be.
func failure<Failure: Error, Value>(_ body: () throws(Failure) -> Value) -> Failure? {
    do throws(Failure) { _ = try body() } catch { return error }
    return nil
}
