/// Events that must be refused, each with a secret in it that must not come back.
struct BadEvent: Sendable {
    let name: String
    /// Without line breaks, so that it can be a line.
    let bytes: [UInt8]

    static let secret = "hunter2-4111111111111111"

    private init(_ name: String, _ text: String) { self.init(name, bytes: Array(text.utf8)) }

    private init(_ name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    /// `value` stands where any JSON value may stand.
    private static func holding(_ name: String, _ value: String) -> BadEvent {
        BadEvent(name, #"{"type":"bad","password":"\#(secret)","data":\#(value)}"#)
    }

    private static func holding(_ name: String, _ value: [UInt8]) -> BadEvent {
        BadEvent(
            name,
            bytes: Array(#"{"type":"bad","password":"\#(secret)","data":"#.utf8) + value
                + Array("}".utf8))
    }

    static let all: [BadEvent] = tooMuch + notJSON + notEvents

    private static let tooMuch = [
        holding("33 levels", deep(32)), holding("10,000 levels", deep(10_000)),
        holding("10,000 objects", String(repeating: #"{"a":"#, count: 10_000)),
        BadEvent("only brackets", String(repeating: "[", count: 200_000) + secret),
        holding("a large value", "\"" + String(repeating: "x", count: 300 << 10) + "\""),
        holding("a number beyond doubles", "1e999"),
        holding("an integer beyond doubles", String(repeating: "9", count: 310)),
    ]

    private static let notJSON = [
        BadEvent("a cut string", #"{"type":"bad","password":"\#(secret)"#),
        BadEvent("a cut object", #"{"type":"bad","password":"\#(secret)""#),
        BadEvent("a cut literal", #"{"type":"bad","password":"\#(secret)","x":tru"#),
        holding("an unquoted word", secret), holding("a single-quoted text", "'\(secret)'"),
        holding("NaN", "NaN"), holding("Infinity", "-Infinity"), holding("a plus", "+1"),
        holding("a leading zero", "012"), holding("half a number", "1."),
        holding("a trailing comma", "[1,]"), holding("a comment", "1/* \(secret) */"),
        holding("an unknown escape", #""\x41""#),
        holding("a control character", [0x22, 0x01, 0x22]),
        holding("a zero byte", [0x22, 0x00, 0x22]),
        holding("a byte that is no UTF-8", [0x22, 0xFF, 0x22]),
        holding("an overlong UTF-8 form", [0x22, 0xC0, 0xAF, 0x22]),
        holding("a surrogate in UTF-8", [0x22, 0xED, 0xA0, 0x80, 0x22]),
        holding("a cut UTF-8 form", [0x22, 0xE2, 0x82, 0x22]),
        BadEvent("two texts", #"{"type":"a"} {"type":"\#(secret)"}"#),
        BadEvent("words", "password=\(secret)"), BadEvent("CSV", "type,password,\(secret)"),
    ]

    private static let notEvents = [
        BadEvent("a number", "42"), BadEvent("a text", "\"\(secret)\""), BadEvent("null", "null"),
        BadEvent("no type", #"{"password":"\#(secret)"}"#),
        BadEvent("an empty type", #"{"type":"","password":"\#(secret)"}"#),
        BadEvent("a number as type", #"{"type":7,"password":"\#(secret)"}"#),
        BadEvent("a long type", #"{"type":"\#(secret)\#(String(repeating: "t", count: 250))"}"#),
        BadEvent("a name twice", #"{"type":"a","password":"\#(secret)","type":"b"}"#),
        BadEvent("an object as id", #"{"type":"a","id":{"password":"\#(secret)"}}"#),
        BadEvent("a lone high surrogate", #"{"type":"\ud800","password":"\#(secret)"}"#),
        BadEvent("a lone low surrogate", #"{"type":"bad","id":"\udc00\#(secret)"}"#),
        BadEvent("an empty subject", #"{"type":"bad","subject":"","password":"\#(secret)"}"#),
        BadEvent("an object beside data", #"{"type":"bad","data":1,"x":{"p":"\#(secret)"}}"#),
        BadEvent("a fraction beside data", #"{"type":"\#(secret)","data":1,"ratio":1.5}"#),
        BadEvent("a capital beside data", #"{"type":"bad","data":1,"userId":"\#(secret)"}"#),
        BadEvent("no time", #"{"type":"a","time":"\#(secret)"}"#),
        BadEvent("a day that is not", #"{"type":"\#(secret)","time":"2026-02-30T00:00:00Z"}"#),
        BadEvent(
            "a secret as a long name", #"{"\#(String(repeating: "k", count: 70))\#(secret)":1}"#),
    ]

    private static func deep(_ levels: Int) -> String {
        String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    }
}
