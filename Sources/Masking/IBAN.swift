/// International bank account numbers (ISO 13616; lengths from SWIFT's registry).
enum IBAN {
    /// One after the number whose country code begins at `start`; nil if none is there.
    static func end(_ text: ScanText, _ start: Int) -> Int? {
        let country = UInt16(text[start]) << 8 | UInt16(text[start + 1])
        guard let length = lengths[country] else { return nil }
        var remainder = 0
        var taken = 0
        var index = start
        // The first four characters count last, so they are kept for the end.
        var head: [UInt8] = []
        while taken < length {
            let byte = text[index]
            if byte == 0x20, taken > 0, taken % 4 == 0, text[index - 1] != 0x20 {
                index += 1
                continue
            }
            guard text.isIn(ByteClass.digit | ByteClass.upper, index) else { return nil }
            if taken < 4 { head.append(byte) } else { remainder = add(byte, to: remainder) }
            taken += 1
            index += 1
        }
        guard !text.isIn(ByteClass.alphanumeric, index) else { return nil }
        for byte in head { remainder = add(byte, to: remainder) }
        return remainder == 1 ? index : nil
    }

    /// The check of ISO 7064 over the letters and digits of a span, its first four counted last.
    static func passesMod97(_ text: ScanText, _ start: Int, _ end: Int) -> Bool {
        let characters = (start..<end).filter {
            text.isIn(ByteClass.digit | ByteClass.upper, $0)
        }
        guard characters.count > 4 else { return false }
        let ordered = characters.dropFirst(4) + characters.prefix(4)
        return ordered.reduce(0) { add(text[$1], to: $0) } == 1
    }

    private static func add(_ byte: UInt8, to remainder: Int) -> Int {
        byte < 0x40
            ? (remainder * 10 + Int(byte) - 0x30) % 97
            : (remainder * 100 + Int(byte) - 0x37) % 97
    }

    private static let lengths: [UInt16: Int] = {
        let table =
            "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20"
            + "EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30"
            + "KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23"
            + "PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26"
            + "UA29VA22VG24XK20YE30"
        let bytes = Array(table.utf8)
        var lengths: [UInt16: Int] = [:]
        for index in stride(from: 0, to: bytes.count, by: 4) {
            let country = UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1])
            lengths[country] = Int(bytes[index + 2] & 15) * 10 + Int(bytes[index + 3] & 15)
        }
        return lengths
    }()
}
