@testable import Service

extension Configuration {
    /// What is wrong; empty if it loads.
    static func problems(
        flags: [String: String] = [:], environment: [String: String] = [:]
    ) -> [String] {
        do {
            _ = try Configuration.load(flags: flags, environment: environment)
            return []
        } catch { return error.problems }
    }

    /// What is wrong with a file of this text, its path written as `FILE`.
    static func problems(yaml: String) throws -> [String] {
        try TemporaryFile(yaml).use { path in
            problems(flags: ["config": path]).map { $0.replacing(path, with: "FILE") }
        }
    }

    /// What a file with this text sets.
    static func load(environment: [String: String] = [:], yaml: String) throws -> Configuration {
        try TemporaryFile(yaml).use {
            try Configuration.load(flags: ["config": $0], environment: environment)
        }
    }
}
