import Primitives

/// What is written where a match was. The output of each form is not matched again.
struct Replacement {
    let policy: MaskingPolicy
    /// Names of the operator's rules in capitals, by their index.
    let ruleNames: [String]
    /// Forms by the index of the rule: a dictionary would hash at every match.
    private let forms: [MaskForm]
    let masksNames: Bool

    init(_ policy: MaskingPolicy) {
        self.policy = policy
        ruleNames = policy.rules.map { $0.name.uppercased() }
        forms = PIIClass.allCases.map { policy.form(of: $0) } + policy.rules.map(\.form)
        masksNames = policy.form(of: .key) != .off
    }

    func form(of finding: Finding) -> MaskForm { forms[finding.rule] }

    /// Appends what replaces the match `value`.
    /// - Parameter isJSONString: quotes are wanted around it: the match was a number.
    func append(
        _ finding: Finding, _ value: UnsafeRawBufferPointer, to output: inout ByteBuffer
    ) {
        switch form(of: finding) {
        case .drop: break
        case .hash: appendHash(finding, value, to: &output)
        case .partial where finding.kind != nil: appendPartial(finding, value, to: &output)
        default: appendPlaceholder(finding, to: &output)
        }
    }

    private func appendPlaceholder(_ finding: Finding, to output: inout ByteBuffer) {
        if let kind = finding.kind { return output.append(kind.placeholder) }
        output.append("[")
        output.append(ruleNames[finding.rule - PIIClass.allCases.count])
        output.append("]")
    }

    // MARK: Hashes

    /// Bytes of a hash that are shown: 80 bits, so that a billion values do not collide.
    private static let hashBytes = 10

    /// `[EMAIL:k1:…]`. The digits are the letters a to p: a hash must not look like a number of a
    /// card.
    private func appendHash(
        _ finding: Finding, _ value: UnsafeRawBufferPointer, to output: inout ByteBuffer
    ) {
        guard let key = policy.hashKey else { return appendPlaceholder(finding, to: &output) }
        if isHash(value, key) { return output.append(value) }
        let code = SHA256Digest(of: value, key: key.secret)
        appendPlaceholder(finding, to: &output)
        output.truncate(to: output.count - 1)
        output.append(":")
        output.append(key.id)
        output.append(":")
        code.withBytes { bytes in
            for byte in bytes.prefix(Replacement.hashBytes) {
                output.append(UInt8(ascii: "a") + (byte >> 4))
                output.append(UInt8(ascii: "a") + (byte & 15))
            }
        }
        output.append("]")
    }

    /// Whether `value` is a hash of ours already, as a value under a secret name is in a second pass:
    /// in its whole form, so that nobody can hide more in it than a hash has bits.
    private func isHash(_ value: UnsafeRawBufferPointer, _ key: MaskingHashKey) -> Bool {
        let tail = Replacement.hashBytes * 2 + 1
        let middle = Array(":\(key.id):".utf8)
        guard value.first == UInt8(ascii: "["), value.last == UInt8(ascii: "]"),
            value.count > tail + middle.count
        else { return false }
        let digits = value.suffix(tail).dropLast()
        let head = value.dropLast(tail)
        return digits.allSatisfy { $0 &- UInt8(ascii: "a") < 16 }
            && head.suffix(middle.count).elementsEqual(middle)
            && head.dropFirst().dropLast(middle.count).allSatisfy {
                ByteClass.table[Int($0)] & ByteClass.upper != 0 || $0 == UInt8(ascii: "_")
            } && head.count - middle.count <= 16
    }

    // MARK: Parts

    private func appendPartial(
        _ finding: Finding, _ value: UnsafeRawBufferPointer, to output: inout ByteBuffer
    ) {
        switch finding.kind {
        case .ipv4, .ipv6: appendNetwork(value, to: &output)
        case .email: appendEmail(value, to: &output)
        case .card: appendLast(4, value, to: &output)
        case .ssn:
            output.append("***-**-")
            output.append(UnsafeRawBufferPointer(rebasing: value.suffix(4)))
        case .phone: appendLast(2, value, to: &output)
        case .iban:
            output.append(UnsafeRawBufferPointer(rebasing: value.prefix(2)))
            output.append("**")
            output.append(UnsafeRawBufferPointer(rebasing: value.suffix(2)))
        case .token:
            output.append(UnsafeRawBufferPointer(rebasing: value.prefix(4)))
            output.append("***")
        default: appendPlaceholder(finding, to: &output)
        }
    }

    private func appendLast(
        _ count: Int, _ value: UnsafeRawBufferPointer, to output: inout ByteBuffer
    ) {
        output.append("***")
        output.append(UnsafeRawBufferPointer(rebasing: value.suffix(count)))
    }

    private func appendEmail(_ value: UnsafeRawBufferPointer, to output: inout ByteBuffer) {
        guard let at = value.lastIndex(of: UInt8(ascii: "@")), value[0] != 0x22, value[0] < 0x80
        else { return output.append(PIIClass.email.placeholder) }
        output.append(value[0])
        output.append("***")
        output.append(UnsafeRawBufferPointer(rebasing: value[at...]))
    }

    /// The network of an address: 24 bits of IPv4, 48 bits of IPv6.
    private func appendNetwork(_ value: UnsafeRawBufferPointer, to output: inout ByteBuffer) {
        guard let base = value.baseAddress else { return }
        let text = ScanText(base: base.assumingMemoryBound(to: UInt8.self), count: value.count)
        if IPAddress.endOfIPv4(text, 0) != nil {
            return appendNetwork(IPAddress.octets(text, 0), to: &output)
        }
        guard let address = IPAddress.parseIPv6(text, 0) else {
            return output.append(PIIClass.ipv6.placeholder)
        }
        let groups = address.groups
        if groups[0] == 0 || groups[0] == 0x64 {
            // An IPv4 address in IPv6 keeps what the IPv4 form keeps.
            let octets = (groups[6] >> 8, groups[6] & 255, groups[7] >> 8, groups[7] & 255)
            return appendNetwork(octets, to: &output)
        }
        for group in groups.prefix(3) {
            output.append(hex: group)
            output.append(":")
        }
        output.append(":/48")
    }

    private func appendNetwork(
        _ octets: (UInt16, UInt16, UInt16, UInt16), to output: inout ByteBuffer
    ) {
        output.append(decimal: octets.0)
        output.append(".")
        output.append(decimal: octets.1)
        output.append(".")
        output.append(decimal: octets.2)
        output.append(".0/24")
    }
}

extension ByteBuffer {
    /// Appends a group of an IPv6 address without leading zeros (RFC 5952).
    fileprivate mutating func append(hex group: UInt16) {
        var hasDigit = false
        for shift in [12, 8, 4, 0] as [UInt16] {
            let digit = UInt8(group >> shift & 15)
            guard digit > 0 || hasDigit || shift == 0 else { continue }
            hasDigit = true
            append(hexDigit(digit))
        }
    }
}
