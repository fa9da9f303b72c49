/// Messages that Google's own library for Python wrote, of the classes that opentelemetry-proto 1.45
/// has: what others send, byte by byte.
enum ForeignMessage {
    /// One resource (`service.name` and a number), one scope, and two records: one with every field
    /// and every kind of value, and one whose body is a map and whose ids are not valid.
    static let request = bytes(
        """
        0a92030a2b0a160a0c736572766963652e6e616d6512060a0473686f700a0f0a09686f73742e6370
        757312021804100112e2020a0b0a04636172741203312e32128f020915cd853dfe9c9717100d1a04
        5741524e2a0e0a0cc3bc202271756f746564220a32080a017312030a017832070a01741202100132
        070a01661202100032100a0169120b1880808080808080808001320e0a0164120921000000000000
        f83f32100a036e616e120921000000000000f87f32100a03696e66120921000000000000f0ff320a
        0a016212053a030001ff32050a016e120032210a0161121c2a1a0a0218010a050a0374776f0a0d2a
        0b0a09210000000000000840321e0a016d121932170a150a016b1210320e0a0c0a04646565701204
        0a02c3a945010000004a100af7651916cd43dd8448eb211c80319c5208b7ad6b71692033315900ca
        c471fe9c9717620a636172742e616464656412412a2932270a140a0475736572120c320a0a080a02
        6964120218070a0f0a047461677312072a050a030a01614a10000000000000000000000000000000
        0052020102
        """)

    static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue ?? 0) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
