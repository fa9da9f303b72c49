/// A sum of doubles without any rounding: whatever their order, the same bits; and a double that is
/// taken away leaves nothing behind.
///
/// DESIGN. A double is a whole number of 53 bits times a power of two. The powers are parted into
/// 64 *places* of 32 powers each; a place holds the sum of its doubles as a whole number of 128
/// bits, which takes 2^43 of them before it could overflow. Most sums touch one or two places, so
/// three lie here, and whoever holds the sum keeps the others. (R. Neal, "Fast exact summation
/// using small and large superaccumulators", 2015, has all places in one array; here a sum is one
/// of many groups.)
struct ExactSum: BitwiseCopyable {
    /// A part of a sum.
    struct Term {
        var place: UInt8
        var amount: Int128
    }

    private static let free: UInt8 = 255
    /// Counts of positive and negative infinities, which no sum holds.
    static let infinity: UInt8 = 66
    static let negativeInfinity: UInt8 = 67
    static let lastPlace: UInt8 = 67

    private var places: (UInt8, UInt8, UInt8) = (free, free, free)
    private var amounts: (Int128, Int128, Int128) = (0, 0, 0)

    @inline(__always)
    static func term(_ value: Double) -> Term {
        let bits = value.bitPattern
        let exponent = Int(bits >> 52 & 0x7FF)
        let fraction = bits & (1 << 52 - 1)
        if exponent == 0x7FF {
            return Term(place: value > 0 ? infinity : negativeInfinity, amount: 1)
        }
        let whole = Int128(exponent == 0 ? fraction : fraction | 1 << 52)
        // The value is `whole` times 2 to the power of `power - 1074`.
        let power = max(exponent, 1) - 1
        let amount = whole << Int128(power & 31)
        return Term(place: UInt8(power >> 5), amount: bits >> 63 == 0 ? amount : 0 - amount)
    }

    /// - Returns: false if there is no room for the term's place.
    @inline(__always)
    mutating func add(_ term: Term) -> Bool {
        if places.0 == term.place {
            amounts.0 &+= term.amount
        } else if places.1 == term.place {
            amounts.1 &+= term.amount
        } else if places.2 == term.place {
            amounts.2 &+= term.amount
        } else {
            return take(term)
        }
        return true
    }

    private mutating func take(_ term: Term) -> Bool {
        if places.0 == ExactSum.free {
            (places.0, amounts.0) = (term.place, term.amount)
        } else if places.1 == ExactSum.free {
            (places.1, amounts.1) = (term.place, term.amount)
        } else if places.2 == ExactSum.free {
            (places.2, amounts.2) = (term.place, term.amount)
        } else {
            return false
        }
        return true
    }

    func forEach(_ body: (_ place: UInt8, _ amount: Int128) -> Void) {
        if places.0 != ExactSum.free { body(places.0, amounts.0) }
        if places.1 != ExactSum.free { body(places.1, amounts.1) }
        if places.2 != ExactSum.free { body(places.2, amounts.2) }
    }
}

extension ExactSum {
    /// All parts of a sum, to be rounded. Costs some hundred nanoseconds: once a group.
    struct Parts {
        private var amounts = [Int128](repeating: 0, count: Int(ExactSum.lastPlace) + 1)
        private var lowest = Int(ExactSum.lastPlace)
        private var highest = 0

        /// Where 2 to the power of 0 lies: power 1,074 is 18 powers above the start of place 33.
        private static let unitPlace: UInt8 = 33
        private static let unitShift: Int128 = 18

        mutating func add(_ amount: Int128, at place: UInt8) {
            // A damaged file may say anything.
            guard place <= ExactSum.lastPlace else { return }
            amounts[Int(place)] &+= amount
            guard place < ExactSum.infinity else { return }
            lowest = min(lowest, Int(place))
            highest = max(highest, Int(place))
        }

        /// - Parameter integer: a sum of fewer than 2^43 integers of 64 bits, as all counts are.
        mutating func add(integer: Int128) {
            if integer != 0 { add(integer << Self.unitShift, at: Self.unitPlace) }
        }

        /// What a sum is divided by, as a power of two, where it is beyond the doubles: its count
        /// is less than 2 to the power of this.
        static let meanScale = 64

        /// The double nearest to the sum; of two that are as near, the even one. Beyond the doubles
        /// it is an infinity.
        /// - Parameter scale: the sum is divided by 2 to the power of this first.
        func rounded(scale: Int = 0) -> Double {
            let infinities = amounts[Int(ExactSum.infinity)]
            let negativeInfinities = amounts[Int(ExactSum.negativeInfinity)]
            if infinities > 0 { return negativeInfinities > 0 ? .nan : .infinity }
            if negativeInfinities > 0 { return -.infinity }
            guard lowest <= highest else { return 0 }
            var (digits, isNegative) = digits()
            if isNegative { Self.negate(&digits) }
            guard let top = digits.lastIndex(where: { $0 != 0 }) else { return 0 }
            let magnitude = Self.round(digits, top: top, offset: lowest * 32 - scale)
            return isNegative ? -magnitude : magnitude
        }

        /// The sum as digits of 32 bits from the lowest place on, as a two's complement.
        private func digits() -> ([UInt32], isNegative: Bool) {
            var digits: [UInt32] = []
            var carry: Int128 = 0
            for place in lowest...highest {
                let sum = amounts[place] &+ carry
                digits.append(UInt32(truncatingIfNeeded: sum))
                carry = sum >> 32
            }
            while carry != 0, carry != -1 {
                digits.append(UInt32(truncatingIfNeeded: carry))
                carry >>= 32
            }
            return (digits, carry < 0)
        }

        private static func negate(_ digits: inout [UInt32]) {
            var carry: UInt64 = 1
            for index in digits.indices {
                let sum = UInt64(~digits[index]) + carry
                digits[index] = UInt32(truncatingIfNeeded: sum)
                carry = sum >> 32
            }
            if carry > 0 { digits.append(1) }
        }

        /// - Parameters:
        ///   - top: the highest digit that is not 0.
        ///   - offset: the power of the lowest digit's lowest bit; power 0 is the least double.
        private static func round(_ digits: [UInt32], top: Int, offset: Int) -> Double {
            let highestBit = top * 32 + 31 - digits[top].leadingZeroBitCount
            func bit(_ index: Int) -> UInt64 {
                index < 0 ? 0 : UInt64(digits[index / 32] >> UInt32(index % 32) & 1)
            }
            // The lowest bit that a double has: 52 below its highest, and none below power 0.
            let lowestBit = max(highestBit - 52, -offset)
            var whole: UInt64 = 0
            var index = highestBit
            while index >= lowestBit {
                whole = whole << 1 | bit(index)
                index -= 1
            }
            let power = lowestBit + offset
            guard power < 2046 else { return .infinity }
            // Without the implied bit, the number is one of the least, and its bits are its
            // pattern.
            var pattern = power == 0 ? whole : UInt64(power) << 52 &+ whole
            let half = bit(lowestBit - 1) == 1
            if half {
                var hasMore = false
                var below = lowestBit - 2
                while below >= 0, !hasMore {
                    hasMore = bit(below) == 1
                    below -= 1
                }
                // A carry out of the fraction counts the exponent up, at last to infinity.
                if hasMore || whole & 1 == 1 { pattern += 1 }
            }
            return Double(bitPattern: min(pattern, Double.infinity.bitPattern))
        }
    }
}
