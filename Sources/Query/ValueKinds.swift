/// The kinds of value that a column turned out to hold.
struct ValueKinds: OptionSet {
    let rawValue: UInt8

    static let integer = ValueKinds(rawValue: 1)
    static let real = ValueKinds(rawValue: 2)
    static let text = ValueKinds(rawValue: 4)
    static let boolean = ValueKinds(rawValue: 8)
    static let json = ValueKinds(rawValue: 16)

    var columnType: QueryAnswer.ColumnType {
        switch self {
        case .integer: .integer
        case .real, [.integer, .real]: .real
        case .text: .text
        case .boolean: .boolean
        case .json: .json
        default: .any
        }
    }
}
