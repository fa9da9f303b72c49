/// Up to 19 digits of a payment card (ISO/IEC 7812), without storage of their own.
struct CardNumber {
    enum Certainty { case certain, weak }

    /// How cards print their digits.
    static let layouts: [[Int]] = [[4, 4, 4, 4], [4, 4, 4, 4, 3], [4, 6, 5], [4, 6, 4]]

    private var value: UInt64 = 0
    private(set) var count = 0

    /// - Parameter byte: an ASCII digit; no more than 19 fit.
    mutating func append(_ byte: UInt8) {
        value = value &* 10 &+ UInt64(byte & 15)
        count += 1
    }

    /// The first `length` digits as a number.
    private func prefix(_ length: Int) -> Int {
        var rest = value
        for _ in length..<max(length, count) { rest /= 10 }
        return Int(rest)
    }

    /// How sure the prefix and the length are; nil if no issuer has both.
    func issuer() -> Certainty? {
        let four = prefix(4)
        switch four {
        case 4000...4999: return [13, 16, 19].contains(count) ? .certain : nil
        case 5100...5599, 2221...2720: return count == 16 ? .certain : nil
        case 3400...3499, 3700...3799: return count == 15 ? .certain : nil
        case 6011, 6440...6599: return (16...19).contains(count) ? .certain : nil
        case 3000...3059, 3600...3699, 3800...3999: return count == 14 ? .certain : nil
        case 3528...3589: return (16...19).contains(count) ? .certain : nil
        case 6200...6299: return (16...19).contains(count) ? .certain : nil
        case 5000...5099, 5600...5899, 6000...6999: return (12...19).contains(count) ? .weak : nil
        default: return nil
        }
    }

    /// ISO/IEC 7812-1, annex B.
    var passesLuhn: Bool {
        var rest = value
        var sum: UInt64 = 0
        for place in 0..<count {
            let digit = rest % 10
            rest /= 10
            let doubled = digit * 2
            sum += place % 2 == 0 ? digit : (doubled > 9 ? doubled - 9 : doubled)
        }
        return sum % 10 == 0
    }
}
