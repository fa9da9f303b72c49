/// Decimal digits without generics: the generic `append(decimal:)` is not specialized across
/// modules and costs some 1,500 instructions a call, these some 50.
extension ByteBuffer {
    package mutating func append(decimal value: Int) {
        append(decimal: UInt64(value.magnitude), isNegative: value < 0)
    }

    package mutating func append(decimal value: Int64) {
        append(decimal: value.magnitude, isNegative: value < 0)
    }

    package mutating func append(decimal value: UInt64) {
        append(decimal: value, isNegative: false)
    }

    private mutating func append(decimal magnitude: UInt64, isNegative: Bool) {
        let space = spare(21)  // A sign and 20 digits.
        if isNegative { space[0] = UInt8(ascii: "-") }
        commit(writeDecimal(magnitude, to: space, at: isNegative ? 1 : 0))
    }
}

/// Writes the digits of `number`, at most 20, from `start` on; they must fit.
/// - Returns: the offset behind the last digit.
package func writeDecimal(
    _ number: UInt64, to space: UnsafeMutableRawBufferPointer, at start: Int
) -> Int {
    var end = start + 1
    var rest = number
    while rest >= 10 {
        rest /= 10
        end += 1
    }
    precondition(end <= space.count)
    rest = number
    for position in stride(from: end - 1, through: start, by: -1) {
        space[position] = UInt8(truncatingIfNeeded: rest % 10) + UInt8(ascii: "0")
        rest /= 10
    }
    return end
}
