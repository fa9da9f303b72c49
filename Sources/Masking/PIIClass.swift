/// A kind of personal or secret text that the scanner knows by itself.
package enum PIIClass: UInt8, CaseIterable, Sendable {
    case email, card, iban, ssn, phone, ipv4, ipv6, jwt, credentials, privateKey, token
    case urlSecret, key

    /// As configuration, metrics and reports name it.
    package var name: String {
        switch self {
        case .privateKey: "private_key"
        case .urlSecret: "url_secret"
        default: "\(self)"
        }
    }

    package init?(name: some StringProtocol) {
        guard let found = PIIClass.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    /// What stands where a text of this class was. No placeholder holds anything that matches again.
    package var placeholder: StaticString {
        switch self {
        case .email: "[EMAIL]"
        case .card: "[CARD]"
        case .iban: "[IBAN]"
        case .ssn: "[SSN]"
        case .phone: "[PHONE]"
        case .ipv4, .ipv6: "[IP]"
        case .jwt: "[JWT]"
        case .credentials: "[CREDENTIALS]"
        case .privateKey: "[PRIVATE_KEY]"
        case .token: "[TOKEN]"
        case .urlSecret, .key: "[REDACTED]"
        }
    }
}
