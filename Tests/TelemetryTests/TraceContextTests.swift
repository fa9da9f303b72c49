import Primitives
import Testing

@testable import Telemetry

/// The cases of the W3C's own test suite for Trace Context, level 1.
@Suite struct TraceContextTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let parent = "b7ad6b7169203331"

    private func read(_ text: String) -> TraceContext? {
        Array(text.utf8).withUnsafeBytes { TraceContext(traceparent: $0, spanID: 7) }
    }

    @Test(arguments: [
        ("00-\(trace)-\(parent)-00", false), ("00-\(trace)-\(parent)-01", true),
        ("00-\(trace)-\(parent)-03", true), ("00-\(trace)-\(parent)-fe", false),
        ("cc-\(trace)-\(parent)-01", true), ("cc-\(trace)-\(parent)-01-what-will-be", true),
        ("cc-\(trace)-\(parent)-01-", true),
    ])
    func `continues a trace`(_ text: String, _ isSampled: Bool) throws {
        let found = try #require(read(text))
        #expect(found.traceID == Key128(high: 0x0af7_6519_16cd_43dd, low: 0x8448_eb21_1c80_319c))
        #expect(found.parentID == 0xb7ad_6b71_6920_3331)
        #expect(found.spanID == 7)
        #expect(found.isSampled == isSampled)
    }

    @Test(arguments: [
        "", "00", "00-\(trace)", "00-\(trace)-\(parent)", "00-\(trace)-\(parent)-",
        "00-\(trace)-\(parent)-0", "00-\(trace)-\(parent)-001", "00-\(trace)-\(parent)-01-",
        "00-\(trace)-\(parent)-01-x", "00-\(trace)-\(parent)-01x", "ff-\(trace)-\(parent)-01",
        "0-\(trace)-\(parent)-01", "000-\(trace)-\(parent)-01", "0x-\(trace)-\(parent)-01",
        "cc-\(trace)-\(parent)-01.what", "cc-\(trace)-\(parent)-011",
        "00-00000000000000000000000000000000-\(parent)-01", "00-\(trace)-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-\(parent)-01", "00-\(trace)-B7AD6B7169203331-01",
        "00-\(trace)-\(parent)-0A", "00-.af7651916cd43dd8448eb211c80319c-\(parent)-01",
        "00-\(trace)-\(parent)-.0", "00_\(trace)_\(parent)_01", "00-\(trace)1-\(parent)-01",
        "00-\(trace)-\(parent)1-01", "00\(trace)-\(parent)-01-", " 00-\(trace)-\(parent)-01",
    ])
    func `starts anew where the header is malformed`(_ text: String) {
        #expect(read(text) == nil)
    }
}
