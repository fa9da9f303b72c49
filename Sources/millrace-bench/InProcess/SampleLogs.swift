import Primitives

/// Bodies of log records as a service of many routes would send them, each line another.
enum SampleLogs {
    static let linesPerBody = 500
    /// 32,000 different records, some 7 MB.
    static let bodies: [Bytes] = (0..<64).map(body)

    private static let words = [
        "cart", "checkout", "payment", "refund", "session", "inventory", "shipping", "search",
        "catalog", "profile", "coupon", "invoice", "gateway", "retry", "timeout", "upstream",
    ]
    private static let levels = ["info", "info", "info", "debug", "info", "warn", "info", "error"]

    private static func body(_ number: Int) -> Bytes {
        var text = ByteBuffer(capacity: 128 << 10)
        for line in 0..<linesPerBody {
            let index = number * linesPerBody + line
            // A multiplicative hash, so that neighbours have little in common.
            let mixed = (index &* 2_654_435_761) & 0xFFFF_FFFF
            let first = words[mixed & 15]
            let second = words[mixed >> 4 & 15]
            text.append(
                #"{"level":"\#(levels[mixed >> 8 & 7])","service":"svc-\#(mixed >> 11 & 7)","#)
            text.append(#""message":"GET /api/\#(first)/\#(second)/\#(mixed >> 3 & 0xFFFFF) done "#)
            text.append(#"in \#(mixed % 900) ms by worker \#(mixed % 64)","#)
            text.append(#""trace_id":""#)
            text.append(hex: UInt64(mixed) &* 0x9E37_79B9_7F4A_7C15 | 1)
            text.append(hex: UInt64(index) &* 0xBF58_476D_1CE4_E5B9)
            text.append(#"","attributes":{"http.method":"GET","status":\#(200 + mixed % 5),"#)
            text.append(#""user":"u-\#(mixed % 50_000)","bytes":\#(mixed % 100_000)}}"#)
            text.append("\n")
        }
        return text.freeze()
    }
}
