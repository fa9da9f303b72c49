import Primitives
import SQLite

extension NamedParameter {
    /// Why a declaration is not understood.
    struct Fault: Error {
        let reason: String
        init(_ reason: String) { self.reason = reason }
    }

    /// Names that a request uses for something else.
    static let reservedNames: Set<String> = ["format", "shape", "cache", "max_stale", "now"]

    private static let form =
        "a parameter is `NAME KIND [optional] [= DEFAULT] [[FROM..TO] or [A|B|C]]` with KIND one of "
        + Kind.allCases.map(\.rawValue).joined(separator: " ")

    /// Reads `days integer = 7 [1..90]`.
    init(declaration: String) throws(Fault) {
        var rest = declaration[...]
        guard let name = Self.word(&rest), let kindName = Self.word(&rest) else {
            throw Fault(Self.form)
        }
        guard Self.isName(name) else {
            throw Fault("the name of a parameter is a letter and then letters, digits and _")
        }
        guard !Self.reservedNames.contains(name) else {
            throw Fault("\(name) means something else in a request; choose another name")
        }
        guard let kind = Kind(rawValue: kindName) else { throw Fault(Self.form) }
        var isOptional = false
        var standard: String?
        var bounds = Bounds.any
        while let first = rest.drop(while: { $0 == " " }).first {
            rest = rest.drop { $0 == " " }
            if first == "=" {
                rest = rest.dropFirst()
                guard standard == nil, let text = try Self.text(&rest) else {
                    throw Fault(Self.form)
                }
                standard = text
            } else if first == "[" {
                guard let end = rest.firstIndex(of: "]") else { throw Fault(Self.form) }
                bounds = try Self.bounds(rest[..<end].dropFirst(), kind)
                rest = rest[end...].dropFirst()
            } else {
                guard Self.word(&rest) == "optional" else { throw Fault(Self.form) }
                isOptional = true
            }
        }
        guard !isOptional || standard == nil else {
            throw Fault("a parameter with a default need not be called optional")
        }
        self.init(
            name: name, kind: kind, bounds: bounds, standard: standard, isOptional: isOptional)
        if let standard {
            do throws(QueryError) { _ = try value(standard) } catch {
                throw Fault("the default of \(error.message)")
            }
        }
    }

    private static func isName(_ text: String) -> Bool {
        (1...63).contains(text.utf8.count)
            && text.utf8.first.map { !(0x30...0x39).contains($0) } == true
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0)
                    || (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "_")
            }
    }

    /// Takes the next word off `rest`; a bracket and an equals sign end one.
    private static func word(_ rest: inout Substring) -> String? {
        rest = rest.drop { $0 == " " }
        let word = rest.prefix { !" =[".contains($0) }
        rest = rest.dropFirst(word.count)
        return word.isEmpty ? nil : String(word)
    }

    /// Takes a default: a word, or a text in quotation marks, which is a JSON string.
    private static func text(_ rest: inout Substring) throws(Fault) -> String? {
        rest = rest.drop { $0 == " " }
        guard rest.first == "\"" else {
            let word = rest.prefix { $0 != " " && $0 != "[" }
            rest = rest.dropFirst(word.count)
            return word.isEmpty ? nil : String(word)
        }
        var end = rest.index(after: rest.startIndex)
        while end < rest.endIndex, rest[end] != "\"" {
            if rest[end] == "\\" { end = rest.index(after: end) }
            if end < rest.endIndex { end = rest.index(after: end) }
        }
        guard end < rest.endIndex, let value = try? JSONValue.parse(String(rest[...end])),
            case .string(let text) = value
        else { throw Fault("a text in quotation marks is a JSON string") }
        rest = rest[end...].dropFirst()
        return text
    }

    private static func bounds(_ text: Substring, _ kind: Kind) throws(Fault) -> Bounds {
        let ends = text.range(of: "..").map {
            (String(text[..<$0.lowerBound].spaceless), String(text[$0.upperBound...].spaceless))
        }
        switch (kind, ends) {
        case (.integer, let (low, high)?):
            if let low = Int64(low), let high = Int64(high), low <= high {
                return .integers(low...high)
            }
        case (.real, let (low, high)?):
            if let low = Double(low), let high = Double(high), low <= high {
                return .reals(low...high)
            }
        case (.text, _):
            let choices = text.parts(by: "|").map { String($0.spaceless) }
            if !choices.contains("") { return .choices(choices) }
        default: break
        }
        throw Fault(
            "integers and reals have a range such as [1..90], texts have choices such as [free|pro]"
        )
    }
}

extension Substring {
    /// Without the spaces around it.
    fileprivate var spaceless: Substring {
        var rest = drop { $0 == " " }
        while rest.last == " " { rest.removeLast() }
        return rest
    }

    /// The first place of `text`; Swift's own needs Foundation.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) {
                return start..<index(start, offsetBy: text.count)
            }
            start = index(after: start)
        }
        return nil
    }
}
