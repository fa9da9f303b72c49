internal import Yams

/// A YAML document as this service reads one: texts, lists and mappings, each with its line.
///
///     let tree = try YAMLTree(parsing: "port: 8080\nsinks: { audit: { url: http://h } }")
///     tree.members.map(\.name)   // ["port", "sinks"]
///
/// Scalars stay the texts that were written: whether `off` is a word or a truth value is for the
/// setting to say.
struct YAMLTree: Sendable {
    indirect enum Content: Sendable {
        case text(String)
        case list([YAMLTree])
        case mapping([Member])
    }

    /// A name of a mapping and what it stands for.
    struct Member: Sendable {
        let name: String
        /// The line of the name, from 1.
        let line: Int
        let value: YAMLTree
    }

    let content: Content
    /// Where it begins, from 1.
    let line: Int

    /// Those of a mapping, as they are ordered in the file; none for anything else.
    var members: [Member] {
        if case .mapping(let members) = content { members } else { [] }
    }

    /// The text, or a list of texts; nil for a mapping, and for a list that holds more than texts.
    var texts: [String]? {
        switch content {
        case .text(let text): return [text]
        case .mapping: return nil
        case .list(let elements):
            let texts = elements.compactMap { element -> String? in
                if case .text(let text) = element.content { text } else { nil }
            }
            return texts.count == elements.count ? texts : nil
        }
    }

    /// Why a text is no document of this kind. The reason quotes names at most, never a value.
    struct Failure: Error {
        let line: Int?
        let reason: String
    }

    /// Parses a document; one that says nothing is an empty mapping. Costs milliseconds and uses
    /// Foundation inside Yams: at start and when a file changed, never for a request.
    init(parsing text: String) throws(Failure) {
        if let refusal = YAMLGuard.refusal(of: text) { throw refusal }
        do {
            // The encoding is named, or Yams asks the environment for it.
            let parser = try Parser(yaml: text, encoding: .utf8)
            guard let root = try parser.singleRoot() else {
                self.init(content: .mapping([]), line: 1)
                return
            }
            // Nodes refer to their anchors weakly; the parser owns them.
            let tree = try withExtendedLifetime(parser) { try YAMLTree(root) }
            let saysNothing = if case .text("") = tree.content { true } else { false }
            self = saysNothing ? YAMLTree(content: .mapping([]), line: 1) : tree
        } catch let failure as Failure {
            throw failure
        } catch let error as YamlError {
            throw YAMLTree.failure(error)
        } catch {
            throw Failure(line: nil, reason: "it cannot be parsed")
        }
    }

    /// A tree that is one text.
    init(text: String, line: Int) { self.init(content: .text(text), line: line) }

    private init(content: Content, line: Int) {
        self.content = content
        self.line = line
    }

    private init(_ node: Node) throws(Failure) {
        let line = node.mark?.line ?? 1
        guard node.anchor == nil else {
            throw Failure(line: line, reason: YAMLGuard.anchorReason)
        }
        switch node {
        case .scalar(let scalar):
            self.init(content: .text(scalar.string), line: line)
        case .sequence(let sequence):
            var elements: [YAMLTree] = []
            for element in sequence { elements.append(try YAMLTree(element)) }
            self.init(content: .list(elements), line: line)
        case .mapping(let mapping):
            var members: [Member] = []
            for (key, value) in mapping {
                let name = try YAMLTree(key)
                guard case .text(let text) = name.content else {
                    throw Failure(line: name.line, reason: "a name is a text")
                }
                members.append(
                    Member(name: text, line: name.line, value: try YAMLTree(value)))
            }
            self.init(content: .mapping(members), line: line)
        case .alias:
            throw Failure(line: line, reason: YAMLGuard.anchorReason)
        }
    }

    /// Yams' own descriptions quote the lines around, which may hold secrets.
    private static func failure(_ error: YamlError) -> Failure {
        switch error {
        case .scanner(let context, let problem, let mark, _),
            .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let before = context.map { "\($0.text), " } ?? ""
            return Failure(line: mark.line, reason: before + problem)
        case .reader(let problem, let offset, _, let yaml):
            let line = offset.map { yaml.prefix($0).count { $0.isNewline } + 1 }
            return Failure(line: line, reason: problem)
        case .duplicatedKeysInMapping(let names, let context):
            let list = names.sorted().joined(separator: ", ")
            return Failure(line: context.mark.line, reason: "\(list) is there twice")
        default:
            return Failure(line: nil, reason: "it cannot be parsed")
        }
    }
}
