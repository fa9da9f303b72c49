import Testing

@testable import Redis

/// What a connection keeps of the memory that its replies took.
@Suite struct ReplyArenaTests {
    @Test func `keeps what its recent calls needed and gives it back when they need less`() {
        var arena = ReplyArena()
        fill(&arena, strings: 40_000, of: 100)
        arena.removeAll()
        let busy = arena.heldByteCount
        #expect(busy > 4 << 20)
        for _ in 0..<60 {
            fill(&arena, strings: 40_000, of: 100)
            arena.removeAll()
            let held = arena.heldByteCount
            #expect(held == busy)
        }
        for _ in 0..<128 {
            fill(&arena, strings: 3, of: 10)
            arena.removeAll()
        }
        let idle = arena.heldByteCount
        #expect(idle < 1200 << 10)
    }

    @Test func `gives back at once what is more than any reader's batch`() {
        var arena = ReplyArena()
        fill(&arena, strings: 1000, of: 30_000)
        let needed = arena.heldByteCount
        #expect(needed > 30_000_000)
        arena.removeAll()
        let kept = arena.heldByteCount
        #expect(kept < 9 << 20)
        fill(&arena, strings: 1000, of: 30_000)
        let count = arena.nodeCount
        #expect(count == 1000)
    }

    private func fill(_ arena: inout ReplyArena, strings: Int, of size: Int) {
        let text = [UInt8](repeating: 120, count: size)
        text.withUnsafeBytes { bytes in
            for _ in 0..<strings { _ = arena.append(.string, bytes: bytes) }
        }
    }
}
