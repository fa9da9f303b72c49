/// How the text of a setting becomes a value, and what to tell somebody whose text does not.
struct ValueForm<Value: Sendable>: Sendable {
    /// Stands for the value in `--help`: `size` makes `--body-limit <size>`.
    let placeholder: String
    /// What would be right, as the end of "… is not": `a size from 1KiB to 1GiB (bytes, KiB, MiB or GiB)`.
    let expectation: String
    /// Nil for a text that is not of this form or out of its range.
    let parse: @Sendable (String) -> Value?
    /// What is wrong with a text that is not of this form, without repeating it.
    var explain: (@Sendable (String) -> String?)?
    /// What is shown in the place of a value that holds secrets in part.
    var mask: (@Sendable (String) -> String)?
}

extension ValueForm where Value == Int {
    static func integer(_ range: ClosedRange<Int>) -> ValueForm {
        ValueForm(
            placeholder: "number",
            expectation: "a whole number from \(range.lowerBound) to \(range.upperBound)",
            parse: { text in
                // `Int` alone would take `+8080`.
                guard text.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
                return Int(text).flatMap { range.contains($0) ? $0 : nil }
            })
    }

    /// Bytes.
    static func size(_ range: ClosedRange<Int>) -> ValueForm {
        let bounds = [range.lowerBound, range.upperBound].map(ByteSize.format)
        return ValueForm(
            placeholder: "size",
            expectation: "a size from \(bounds[0]) to \(bounds[1]) (bytes, KiB, MiB or GiB)",
            parse: { text in ByteSize.parse(text).flatMap { range.contains($0) ? $0 : nil } })
    }
}

extension ValueForm where Value == Duration {
    static func duration(_ range: ClosedRange<Duration>) -> ValueForm {
        let bounds = [range.lowerBound, range.upperBound].map(DurationText.format)
        return ValueForm(
            placeholder: "duration",
            expectation: "a duration from \(bounds[0]) to \(bounds[1]) (ms, s, m, h or d)",
            parse: { text in DurationText.parse(text).flatMap { range.contains($0) ? $0 : nil } })
    }
}

extension ValueForm where Value == Duration? {
    /// A duration, or `off` for none.
    static func durationOrOff(_ range: ClosedRange<Duration>) -> ValueForm {
        let form = ValueForm<Duration>.duration(range)
        return ValueForm(
            placeholder: "duration|off", expectation: "off or \(form.expectation)",
            parse: { text in
                if text == "off" { return .some(nil) }
                return form.parse(text).map { .some($0) }
            })
    }
}

extension ValueForm where Value == Bool {
    /// On the command line the flag alone, elsewhere a word.
    static var switched: ValueForm {
        ValueForm(
            placeholder: "", expectation: "true or false",
            parse: { text in
                switch text.lowercased() {
                case "true", "yes", "on", "1": true
                case "false", "no", "off", "0": false
                default: nil
                }
            })
    }
}

extension ValueForm where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the names of an enumeration.
    static var choice: ValueForm {
        let names = Value.allCases.map(\.rawValue)
        return ValueForm(
            placeholder: names.joined(separator: "|"),
            expectation: "one of \(names.joined(separator: ", "))",
            parse: { Value(rawValue: $0) })
    }
}
