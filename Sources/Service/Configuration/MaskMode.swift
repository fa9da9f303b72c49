/// How sure masking has to be.
enum MaskMode: String, CaseIterable, Sendable {
    /// A weak shape needs a word near it that says what it is.
    case balanced
    /// It does not.
    case strict
}
