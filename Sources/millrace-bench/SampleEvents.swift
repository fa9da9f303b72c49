import Primitives

/// Events of about 130 bytes, as a web page would send them; no two alike.
enum SampleEvents {
    static let batchCount = 500

    /// One event, without an id and without a line's end.
    static func append(_ index: Int, to text: inout ByteBuffer) {
        text.append(#"{"type":"page_view","subject":"u_"#)
        text.append(decimal: 100_000 + index % 900_000)
        text.append(#"","data":{"path":"/products/"#)
        text.append(decimal: index % 100)
        text.append(#"","ms":"#)
        text.append(decimal: 100 + index % 900)
        text.append(#","country":""#)
        text.append(country(index))
        text.append(#"","referrer":"/search?q=shoes"}}"#)
    }

    static func country(_ index: Int) -> StaticString { countries[index % countries.count] }

    static var single: String {
        var text = ByteBuffer()
        append(0, to: &text)
        return text.text
    }

    /// `batchCount` events, one a line.
    static var lines: String { joined(by: "\n") + "\n" }
    /// The same in an array.
    static var array: String { "[" + joined(by: ",") + "]" }

    private static func joined(by separator: String) -> String {
        var text = ByteBuffer(capacity: 128 << 10)
        for index in 0..<batchCount {
            if index > 0 { text.append(separator) }
            append(index, to: &text)
        }
        return text.text
    }

    private static let countries: [StaticString] = [
        "DE", "FR", "US", "JP", "BR", "IN", "ZA", "AU",
    ]
    static let countryCount = 8
}
