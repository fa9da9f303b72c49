// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target is built with: warnings are errors, and the optimizer may look across
/// module borders, because the hot path crosses several small modules.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .unsafeFlags(
        ["-cross-module-optimization", "-enforce-exclusivity=unchecked"],
        .when(configuration: .release)),
]

/// A Swift target of this package: a room with one concern.
func room(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target
{
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

/// What the tests run most beside the service: parsers of replies, clients, files. It is optimized
/// in debug builds too, and keeps its assertions.
func support(_ name: String, _ dependencies: [Target.Dependency], path: String) -> Target {
    let optimized = SwiftSetting.unsafeFlags(
        ["-O", "-assert-config", "Debug"], .when(configuration: .debug))
    return .target(
        name: name, dependencies: dependencies, path: path, swiftSettings: settings + [optimized])
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// A C library that Debian installs.
func library(_ name: String, _ pkgConfig: String?, apt: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let package = Package(
    name: "millrace",
    products: [
        .executable(name: "millrace", targets: ["millrace"]),
        .executable(name: "millrace-bench", targets: ["millrace-bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        library("CMicroHTTPD", "libmicrohttpd", apt: "libmicrohttpd-dev"),
        library("CZlib", "zlib", apt: "zlib1g-dev"),
        library("CHiredis", nil, apt: "libhiredis-dev"),
        library("CSQLite", "sqlite3", apt: "libsqlite3-dev"),
        library("CCrypto", "libcrypto", apt: "libssl-dev"),
        .target(
            name: "CSimdJSON",
            cxxSettings: [.unsafeFlags(["-O2"])],
            linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("stdc++")]),
        .target(name: "CPlatform", cSettings: [.unsafeFlags(["-O2"])]),
        .target(name: "CLogRing", cSettings: [.unsafeFlags(["-O2"])]),
        .target(name: "CJSONFields", cSettings: [.unsafeFlags(["-O2"])]),
        .target(name: "CMaskScan", cSettings: [.unsafeFlags(["-O2"])]),
        .target(name: "CAllocations", cSettings: [.unsafeFlags(["-O2"])]),
        .target(name: "CSQLiteBudget", cSettings: [.unsafeFlags(["-O2"])]),

        room("Primitives", ["CCrypto", "CPlatform", "CSimdJSON", "CZlib"]),
        // Child processes, Redis servers, sockets and files of tests and benchmarks.
        support("ProcessSupport", ["Primitives"], path: "Sources/ProcessSupport"),
        room("Container", []),
        .target(
            name: "CRE2",
            cxxSettings: [.unsafeFlags(["-O2"])],
            linkerSettings: [.linkedLibrary("re2"), .linkedLibrary("stdc++")]),
        room("Masking", ["Primitives", "CRE2", "CMaskScan"]),
        room(
            "Telemetry",
            [
                "OTLPMessages", "HTTPClient", "Resilience", "Masking", "Primitives", "CLogRing",
                .product(name: "Logging", package: "swift-log"),
            ]),
        room("OTLPMessages", ["Primitives"]),
        room("Resilience", ["Primitives"]),
        room("Redis", ["Primitives", "Resilience", "Telemetry", "CHiredis"]),
        room("HTTPServer", ["Masking", "Primitives", "Telemetry", "CMicroHTTPD"]),
        room("SQLite", ["Primitives", "CSQLite", "CSQLiteBudget"]),
        library("CCurl", nil, apt: "libcurl4-openssl-dev"),
        room("HTTPClient", ["Resilience", "Primitives", "CCurl"]),
        room("Storage", ["SQLite", "Primitives", "Telemetry"]),
        room("Journal", ["Primitives", "Telemetry"]),
        // Rows are Storage's form of an event, and quarantine's entries are masked.
        room("EventCoding", ["Journal", "Storage", "Masking", "Primitives"]),
        room(
            "Streams",
            [
                "EventCoding", "Journal", "Redis", "Storage", "Resilience", "Primitives",
                "Telemetry",
            ]),
        room(
            "Sinks",
            [
                "Streams", "EventCoding", "Redis", "HTTPClient", "Storage", "Resilience",
                "Primitives", "Telemetry",
            ]),
        room(
            "Ingest",
            [
                "Streams", "EventCoding", "Journal", "Redis", "Storage", "Primitives", "Telemetry",
            ]),
        room("Cache", ["Redis", "Primitives", "Telemetry"]),
        room("Query", ["Cache", "Storage", "SQLite", "Primitives", "Telemetry", "CJSONFields"]),
        room(
            "Logs",
            [
                "OTLPMessages", "Masking", "Storage", "SQLite", "HTTPClient", "Resilience",
                "Primitives", "Telemetry",
            ]),
        room(
            "Service",
            [
                "OTLPMessages", "Logs", "Query", "Cache", "Journal", "EventCoding", "Streams",
                "Sinks",
                "Ingest", "Redis", "Resilience",
                "HTTPClient", "Storage",
                "SQLite",
                "Masking", "HTTPServer", "Telemetry", "Container", "Primitives",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Yams", package: "Yams"),
            ],
            // A link to the one at the top level, so that there is one text.
            resources: [.embedInCode("Resources/openapi.yaml")]),
        .executableTarget(name: "millrace", dependencies: ["Service"], swiftSettings: settings),
        .executableTarget(
            name: "millrace-bench",
            dependencies: [
                "Service", "Query", "Cache", "Journal", "EventCoding", "Streams", "Sinks", "Ingest",
                "Logs", "Masking", "Storage", "Telemetry", "Resilience", "Primitives",
                "ProcessSupport", "CAllocations",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: settings),

        tests("PrimitivesTests", ["Primitives", "TestSupport"]),
        tests("ContainerTests", ["Container"]),
        tests("MaskingTests", ["Masking", "MaskFuzz", "ProcessSupport", "Primitives"]),
        // What must hold of masking for any bytes, with seeds.
        .target(
            name: "MaskFuzz", dependencies: ["Masking", "Primitives"], path: "Tests/Fuzz",
            exclude: ["Corpus", "Program"], swiftSettings: settings),
        tests(
            "TelemetryTests",
            [
                "Telemetry", "Masking", "Primitives", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ]),
        tests("OTLPMessagesTests", ["OTLPMessages", "Primitives", "TestSupport"]),
        tests("ResilienceTests", ["Resilience", "Primitives"]),
        support(
            "TestSupport", ["ProcessSupport", "OTLPMessages", "Redis", "Primitives"],
            path: "Tests/TestSupport"),
        tests("RedisTests", ["Redis", "Resilience", "Primitives", "Telemetry", "TestSupport"]),
        tests("HTTPServerTests", ["HTTPServer", "Primitives", "Telemetry", "TestSupport"]),
        tests("StorageTests", ["Storage", "SQLite", "Primitives", "Telemetry", "TestSupport"]),
        tests("HTTPClientTests", ["HTTPClient", "Primitives", "TestSupport"]),
        tests(
            "EventsTests",
            [
                "Journal", "EventCoding", "Streams", "Sinks", "Ingest", "Storage", "SQLite",
                "Redis", "Resilience", "Masking", "Primitives", "Telemetry", "TestSupport",
            ]),
        tests(
            "QueryTests",
            ["Query", "Cache", "Storage", "SQLite", "Primitives", "Telemetry", "TestSupport"]),
        tests(
            "LogsTests",
            ["Logs", "Masking", "Storage", "SQLite", "Primitives", "Telemetry", "TestSupport"]),
        tests("CacheTests", ["Cache", "Redis", "Primitives", "Telemetry", "TestSupport"]),
        tests(
            "ServiceTests",
            [
                "Service", "EventCoding", "Journal", "Storage", "Masking", "Primitives",
                "Telemetry", "TestSupport",
            ]),
        tests("ProcessTests", ["OTLPMessages", "Primitives", "TestSupport"]),
        tests("TidyTests", ["ProcessSupport"]),
    ],
    cxxLanguageStandard: .cxx17
)

// `make fuzz` alone builds it: libFuzzer brings its own `main`, which no other build links.
if Context.environment["MILLRACE_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "mask-fuzz", dependencies: ["MaskFuzz"], path: "Tests/Fuzz/Program",
            swiftSettings: settings))
}
