/// A rule of `Architecture.md` on who imports whom that the package manifest alone does not keep.
struct ImportRule: CustomStringConvertible, Sendable {
    /// The module that is spoken about.
    var module: String
    /// The rooms whose files may import it; every other room may not.
    var allowed: Set<String>

    var description: String { "only \(allowed.sorted().joined(separator: ", ")) imports \(module)" }

    /// Each C module has one Swift room that wraps it.
    static let wrappers: [ImportRule] = [
        ImportRule(module: "CMicroHTTPD", allowed: ["HTTPServer"]),
        ImportRule(module: "CHiredis", allowed: ["Redis"]),
        ImportRule(module: "CSQLite", allowed: ["SQLite"]),
        ImportRule(module: "CSQLiteBudget", allowed: ["SQLite"]),
        ImportRule(module: "CCurl", allowed: ["HTTPClient"]),
        ImportRule(module: "CCrypto", allowed: ["Primitives"]),
        ImportRule(module: "CZlib", allowed: ["Primitives"]),
        ImportRule(module: "CSimdJSON", allowed: ["Primitives"]),
        ImportRule(module: "CPlatform", allowed: ["Primitives"]),
        ImportRule(module: "CRE2", allowed: ["Masking"]),
        ImportRule(module: "CMaskScan", allowed: ["Masking"]),
        ImportRule(module: "CLogRing", allowed: ["Telemetry"]),
        ImportRule(module: "CJSONFields", allowed: ["Query"]),
        // It replaces malloc, which no service may have.
        ImportRule(module: "CAllocations", allowed: ["millrace-bench"]),
    ]

    static let borders: [ImportRule] = [
        // Or the container would become a service locator.
        ImportRule(module: "Container", allowed: ["Service"]),
        // The server knows no feature, so features meet it in Service.
        ImportRule(module: "HTTPServer", allowed: ["Service"]),
        // Events and queries meet in Storage, never each other. The benchmarks measure both.
        ImportRule(module: "Ingest", allowed: ["Service", "millrace-bench"]),
        ImportRule(module: "Sinks", allowed: ["Service", "millrace-bench"]),
        ImportRule(module: "Streams", allowed: ["Sinks", "Ingest", "Service", "millrace-bench"]),
        // The journal knows bytes, not events.
        ImportRule(
            module: "EventCoding",
            allowed: ["Streams", "Sinks", "Ingest", "Service", "millrace-bench"]),
        ImportRule(module: "Query", allowed: ["Service", "millrace-bench"]),
        ImportRule(module: "Cache", allowed: ["Query", "Service", "millrace-bench"]),
        ImportRule(module: "Logs", allowed: ["Service", "millrace-bench"]),
        ImportRule(module: "OTLPMessages", allowed: ["Telemetry", "Logs", "Service"]),
        ImportRule(module: "Service", allowed: ["millrace", "millrace-bench"]),
        ImportRule(module: "Redis", allowed: ["Streams", "Sinks", "Ingest", "Cache", "Service"]),
        ImportRule(module: "HTTPClient", allowed: ["Telemetry", "Sinks", "Logs", "Service"]),
        // It starts and kills processes, which no service may.
        ImportRule(module: "ProcessSupport", allowed: ["millrace-bench"]),
        // Environment and command line are read in one room.
        ImportRule(module: "Yams", allowed: ["Service"]),
        // Libraries log through it; we log through our own.
        ImportRule(module: "Logging", allowed: ["Telemetry"]),
        ImportRule(module: "ArgumentParser", allowed: ["Service", "millrace", "millrace-bench"]),
    ]
}

/// A file that may import Foundation, and why.
struct FoundationUse: Sendable {
    var path: String
    var reason: String

    /// Foundation costs start-up time and memory, and allocates where bytes would do; so each
    /// file that needs it stands here with its reason.
    static let allowed: [FoundationUse] = []
}
