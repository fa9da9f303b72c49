/// The paths of the served `openapi.yaml` and their methods, by indentation: two spaces in front of a
/// path, four in front of a method.
struct ContractDocument {
    private(set) var paths: [String: Set<String>] = [:]

    init(_ service: RunningService) throws {
        var path = ""
        for line in try service.get("/openapi.yaml").text.split(separator: "\n") {
            let name = line.drop { $0 == " " }.prefix { $0 != ":" }
            switch line.prefix(while: { $0 == " " }).count {
            case 0: path = ""
            case 2 where name.hasPrefix("/"): path = String(name)
            case 4 where !path.isEmpty && name != "parameters":
                paths[path, default: []].insert(name.uppercased())
            default: continue
            }
        }
    }

    /// `GET /events` and so on; HEAD goes with GET.
    var operations: [String] {
        paths.flatMap { path, methods in
            methods.filter { $0 != "HEAD" }.map { "\($0) \(path)" }
        }
    }
}
