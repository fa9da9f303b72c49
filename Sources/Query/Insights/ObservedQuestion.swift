import Primitives

/// A question that was not answered from memory, as `QueryInsights` sees it.
package struct ObservedQuestion: Sendable {
    /// Questions of one context are compared: those of a trace, or without one those of a caller.
    package enum Context: Hashable, Sendable {
        case trace(Key128)
        case caller
    }

    /// `/query`, `/query/sql`, or `/query/named/NAME`.
    package let path: String
    package let parameters: [Parameter]
    /// The name of the caller's key.
    package let caller: String
    package let context: Context
    package let began: MonotonicTime
    package let ended: MonotonicTime

    package init(
        path: String, parameters: [Parameter], caller: String, context: Context,
        began: MonotonicTime, ended: MonotonicTime
    ) {
        self.path = path
        self.parameters = parameters
        self.caller = caller
        self.context = context
        self.began = began
        self.ended = ended
    }

    /// Bytes of names and values.
    var byteCount: Int {
        parameters.reduce(path.utf8.count) { sum, parameter in
            sum + parameter.name.utf8.count
                + parameter.elements.reduce(0) { $0 + $1.utf8.count + 16 }
        }
    }

    /// The question as a client would write it into a URL.
    var text: String { QuestionText.url(path, parameters) }
}

/// Writes questions as URLs.
enum QuestionText {
    static func url(_ path: String, _ parameters: [Parameter]) -> String {
        var text = path
        for (index, parameter) in parameters.enumerated() {
            text += index == 0 ? "?" : "&"
            text += encoded(parameter.name) + "="
            text += parameter.elements.map(encoded).joined(separator: ",")
        }
        return text
    }

    /// Percent-encoded (RFC 3986, section 2.1), but for what may stand in a query and means nothing
    /// there.
    private static func encoded(_ text: String) -> String {
        var buffer = ByteBuffer(capacity: text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: ":"), UInt8(ascii: "/"):
                buffer.append(byte)
            default:
                buffer.append("%")
                buffer.append(hex: UInt64(byte), digits: 2)
            }
        }
        return buffer.text
    }
}
