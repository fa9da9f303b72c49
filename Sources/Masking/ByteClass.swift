/// What each byte may be part of, as bits of one table of 512 bytes.
enum ByteClass {
    static let digit: UInt16 = 1
    static let hex: UInt16 = 2
    static let upper: UInt16 = 4
    static let letter: UInt16 = 8
    static let alphanumeric: UInt16 = 16
    /// Of an address's local part (RFC 5321 atext and the dot), and bytes of other scripts.
    static let local: UInt16 = 32
    /// Of a host name, and bytes of other scripts.
    static let host: UInt16 = 64
    /// Of base64url.
    static let base64URL: UInt16 = 128
    /// Of `token68` (RFC 9110, section 11.2) without its padding.
    static let token68: UInt16 = 256
    /// Of the name before `=` or `:`.
    static let name: UInt16 = 1024
    /// Ends an unquoted value.
    static let valueEnd: UInt16 = 2048

    /// Stands before the mark that ends a prefix of `VendorToken.marked`.
    static let prefixLast: UInt16 = 4096

    /// Lives as long as the process. Nothing writes to it after it is made, so any thread may read it.
    nonisolated(unsafe) static let table: UnsafePointer<UInt16> = {
        let table = UnsafeMutablePointer<UInt16>.allocate(capacity: 256)
        for byte in 0..<256 { table[byte] = classes(of: UInt8(byte)) }
        return UnsafePointer(table)
    }()

    private static func classes(of byte: UInt8) -> UInt16 {
        let scalar = Character(Unicode.Scalar(byte))
        let isASCII = byte < 0x80
        let isDigit = byte &- 0x30 < 10
        let isUpper = byte &- 0x41 < 26
        let isLetter = isUpper || byte &- 0x61 < 26
        var bits: UInt16 = 0
        if isDigit { bits |= digit }
        if isDigit || (byte | 0x20) &- 0x61 < 6 { bits |= hex }
        if isUpper { bits |= upper }
        if isLetter { bits |= letter }
        if isDigit || isLetter { bits |= alphanumeric | base64URL | token68 | name }
        if isDigit || isLetter || !isASCII || "!#$%&'*+-/=?^_`{|}~.".contains(scalar) {
            bits |= local
        }
        if isDigit || isLetter || !isASCII || scalar == "-" || scalar == "." { bits |= host }
        if scalar == "-" || scalar == "_" { bits |= base64URL }
        if "-._~+/".contains(scalar) { bits |= token68 }
        if "-_.[]".contains(scalar) { bits |= name }
        if byte <= 0x20 || "\"'<>&,;)}]\\|".contains(scalar) { bits |= valueEnd }
        if VendorToken.marked.contains(where: { $0.last == byte }) { bits |= prefixLast }
        return bits
    }
}
