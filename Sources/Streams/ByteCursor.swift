internal import Glibc
import Primitives

/// Writes into memory that is known to be large enough, for the one place where checking each byte
/// costs more than all the rest: the commands of the forwarder.
struct ByteCursor {
    private(set) var next: UnsafeMutableRawPointer

    init(_ start: UnsafeMutableRawPointer) { next = start }

    @inline(__always)
    mutating func put(_ byte: UInt8) {
        next.storeBytes(of: byte, as: UInt8.self)
        next += 1
    }

    @inline(__always)
    mutating func put(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        memcpy(next, source, bytes.count)
        next += bytes.count
    }

    @inline(__always)
    mutating func put(_ literal: StaticString) {
        memcpy(next, literal.utf8Start, literal.utf8CodeUnitCount)
        next += literal.utf8CodeUnitCount
    }

    mutating func put(decimal value: Int) {
        let digits = ByteCursor.digits(of: value)
        var rest = value
        for offset in stride(from: digits - 1, through: 0, by: -1) {
            next.storeBytes(
                of: UInt8(truncatingIfNeeded: rest % 10) &+ 48, toByteOffset: offset,
                as: UInt8.self)
            rest /= 10
        }
        next += digits
    }

    /// How many digits a number that is not negative has.
    static func digits(of value: Int) -> Int {
        var digits = 1
        var rest = value
        while rest >= 10 {
            rest /= 10
            digits += 1
        }
        return digits
    }

    /// Writes `bytes` (UTF-8) as a JSON string with its quotes: at most six times as long, and two.
    mutating func put(jsonString bytes: UnsafeRawBufferPointer) {
        put(UInt8(ascii: "\""))
        for byte in bytes {
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                put(byte)
                continue
            }
            put(UInt8(ascii: "\\"))
            if byte < 0x20 {
                put("u00")
                put(hexDigit(byte >> 4))
                put(hexDigit(byte & 15))
            } else {
                put(byte)
            }
        }
        put(UInt8(ascii: "\""))
    }

    // MARK: RESP

    /// Writes one argument, a bulk string.
    @inline(__always)
    mutating func put(argument bytes: UnsafeRawBufferPointer) {
        put(UInt8(ascii: "$"))
        put(decimal: bytes.count)
        put("\r\n")
        put(bytes)
        put("\r\n")
    }

    /// Writes what `body` writes as one argument.
    /// - Parameter expected: about how long it will be; with as many digits nothing moves.
    mutating func put(argumentOfAbout expected: Int, _ body: (inout ByteCursor) -> Void) {
        let head = next
        var digits = ByteCursor.digits(of: expected)
        next += 1 + digits + 2
        let start = next
        body(&self)
        let count = next - start
        let needed = ByteCursor.digits(of: count)
        if needed != digits {
            memmove(start + (needed - digits), start, count)
            digits = needed
        }
        var length = ByteCursor(head)
        length.put(UInt8(ascii: "$"))
        length.put(decimal: count)
        length.put("\r\n")
        next = length.next + count
        put("\r\n")
    }
}
