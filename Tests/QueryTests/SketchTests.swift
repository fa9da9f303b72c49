import Primitives
import TestSupport
import Testing

@testable import Query

@Suite struct SketchTests {
    private func sum(_ values: [Double]) throws -> Double {
        let accumulator = NumberAccumulator()
        accumulator.extend(to: 1)
        for value in values { accumulator.add(.real(value), to: 0) }
        try accumulator.finish(.none)
        guard case .real(let sum) = accumulator.value(.sum, of: 0) else { return .nan }
        return sum
    }

    /// Texts, because the compiler refuses literals that are no normal numbers.
    @Test(arguments: [
        ("1 1e100 1 -1e100", "2"), ("1e308 1e308 -1e308", "1e308"),
        ("0.1 0.2 0.3 -0.6", "2.7755575615628914e-17"), ("5e-324 5e-324", "1e-323"),
        ("1e308 1e308", "inf"), ("-1e308 -1e308 1e-300", "-inf"),
        ("9007199254740992 1", "9007199254740992"),
        ("9007199254740992 1 1e-300", "9007199254740994"),
        ("9007199254740994 1", "9007199254740996"), ("-1.5 1.5", "0"), ("inf 1", "inf"),
        ("2.2250738585072014e-308 -5e-324", "2.225073858507201e-308"),
    ])
    func `reals are summed exactly and rounded once`(text: String, expected: String) throws {
        let values = text.split(separator: " ").compactMap { Double($0) }
        #expect(try sum(values) == Double(expected))
        #expect(try sum(values.reversed()) == Double(expected))
    }

    @Test func `what was added can be taken away without a trace`() throws {
        var random = SeededGenerator(seed: 7)
        let (kept, gone) = (NumberAccumulator(), NumberAccumulator())
        kept.extend(to: 2)
        gone.extend(to: 1)
        for index in 0..<5000 {
            let exponent = Int.random(in: -300...300, using: &random)
            let value = Double.random(in: -1...1, using: &random) * pow10(exponent)
            kept.add(.real(value), to: 0)
            if index % 2 == 0 {
                kept.add(.real(value), to: 1)
            } else {
                gone.add(.real(value), to: 0)
            }
        }
        #expect(kept.subtract(gone, from: 0, to: 0))
        var left = ByteBuffer()
        try kept.finish(.none)
        guard case .real(let a) = kept.value(.sum, of: 0),
            case .real(let b) = kept.value(.sum, of: 1)
        else { return #expect(Bool(false)) }
        #expect(a == b)
        kept.write(0, to: &left)
        let copy = NumberAccumulator()
        copy.extend(to: 1)
        var reader = ByteReader(left.span)
        copy.merge(&reader, into: 0)
        try copy.finish(.none)
        guard case .real(let c) = copy.value(.sum, of: 0) else { return #expect(Bool(false)) }
        #expect(a == c)
    }

    @Test(arguments: [
        ("1e308 1.2e308", "1.1e308"), ("-1e308 -1.2e308", "-1.1e308"), ("inf 1e308", "inf"),
        ("1e308 1e308 1e308 1e308 -1e308", "6e307"), ("inf -inf", "nan"), ("1 2", "1.5"),
        (
            "1.7976931348623157e308 1.7976931348623157e308 1.7976931348623157e308",
            "1.7976931348623157e308"
        ),
    ])
    func `a mean among the doubles is told although its sum is beyond them`(
        text: String, expected: String
    ) throws {
        let accumulator = NumberAccumulator()
        accumulator.extend(to: 1)
        for value in text.split(separator: " ") {
            accumulator.add(.real(Double(value) ?? 0), to: 0)
        }
        try accumulator.finish(.none)
        guard case .real(let mean) = accumulator.value(.avg, of: 0) else {
            return #expect(Bool(false))
        }
        #expect("\(mean)" == "\(Double(expected) ?? 0)")
    }

    private func pow10(_ exponent: Int) -> Double { Double("1e\(exponent)") ?? 0 }

    @Test(arguments: [1, 10, 100, 1000, 5000, 100_000])
    func `a sketch counts distinct values within its error`(count: Int) {
        let accumulator = DistinctSketchAccumulator()
        accumulator.extend(to: 2)
        for index in 0..<count * 2 {
            accumulator.add(.integer(Int64(index % count)), to: index % 2)
        }
        var bytes = ByteBuffer()
        accumulator.write(1, to: &bytes)
        var reader = ByteReader(bytes.span)
        accumulator.merge(&reader, into: 0)
        guard case .integer(let found) = accumulator.value(.uniq, of: 0) else {
            return #expect(Bool(false))
        }
        let error = abs(Double(found) - Double(count)) / Double(count)
        #expect(error <= 5 * DistinctSketch.standardError, "\(found) of \(count)")
        #expect(reader.isAtEnd)
    }

    @Test func `percentiles are within one percent over all magnitudes`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("SketchTests seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            let (near, exact) = (RankSketchAccumulator(), RankAccumulator())
            near.extend(to: 2)
            exact.extend(to: 1)
            let decades = Int.random(in: 0...12, using: &random)
            for index in 0..<1000 {
                let value =
                    random.chance(5)
                    ? 0
                    : Double.random(in: -0.2...1, using: &random)
                        * pow10(Int.random(in: -decades...decades, using: &random))
                near.add(.real(value), to: index % 2)
                exact.add(.real(value), to: 0)
            }
            var bytes = ByteBuffer()
            near.write(1, to: &bytes)
            var reader = ByteReader(bytes.span)
            near.merge(&reader, into: 0)
            try exact.finish(.none)
            for function in [QueryMetric.Function.p50, .p90, .p95, .p99] {
                guard case .real(let a) = near.value(function, of: 0),
                    case .real(let b) = exact.value(function, of: 0)
                else { return #expect(Bool(false)) }
                #expect(abs(a - b) <= abs(b) * (RankSketch.relativeError + 1e-9), "\(function)")
            }
        }
    }

    @Test(arguments: [QueryMetric.Function.sum, .min, .uniq, .p50])
    func `damaged states give wrong numbers and end nothing`(
        function: QueryMetric.Function
    ) throws {
        var random = SeededGenerator.printingSeed("damaged states")
        let likely: [UInt8] = [0, 1, 2, 3, 0x7F, 0x80, 0xFE, 0xFF]
        func merge(into accumulator: Accumulator) {
            var bytes = ByteBuffer()
            for _ in 0..<Int.random(in: 1...60, using: &random) {
                let isLikely = Bool.random(using: &random)
                bytes.append(
                    isLikely
                        ? likely[Int.random(in: 0..<likely.count, using: &random)]
                        : UInt8.random(in: 0 ... .max, using: &random))
            }
            var reader = ByteReader(bytes.span)
            accumulator.merge(&reader, into: 0)
        }
        for _ in 0..<500 {
            let accumulators = (0..<2).map { _ in
                Accumulator.make(function, isSketched: true)
            }
            for accumulator in accumulators {
                accumulator.extend(to: 1)
                for _ in 0..<4 { merge(into: accumulator) }
            }
            try accumulators[0].absorb(accumulators[1], numbers: [0], .none)
            _ = accumulators[0].subtract(accumulators[1], from: 0, to: 0)
            for accumulator in accumulators {
                try accumulator.finish(.none)
                _ = accumulator.value(function, of: 0)
                var bytes = ByteBuffer()
                accumulator.write(0, to: &bytes)
            }
        }
    }

    @Test func `ranks and counts that are none are told as some number`() {
        // One register with rank 255; all registers but one with the greatest rank.
        let one: [UInt8] = [0, 1, 0, 0, 255]
        var all: [UInt8] = [0, 0x80, 0x20]
        for number in 0..<4096 {
            let rank: UInt8 = number == 0 ? 52 : 255
            all += [UInt8(number & 0xFF), UInt8(number >> 8), rank]
        }
        // No zeros, and `Int64.max` as a count in bin 0 twice.
        let greatest = [UInt8](repeating: 0xFF, count: 8) + [0x7F]
        var counts: [UInt8] = [0, 0, 2]
        for _ in 0..<2 { counts += [0] + greatest }
        counts += [0, 0]
        let sketches: [(QueryMetric.Function, [UInt8])] = [
            (.uniq, one), (.uniq, all), (.p99, counts),
        ]
        for (function, bytes) in sketches {
            let accumulator = Accumulator.make(function, isSketched: true)
            accumulator.extend(to: 1)
            bytes.withUnsafeBytes { bytes in
                var reader = ByteReader(bytes)
                accumulator.merge(&reader, into: 0)
                #expect(reader.isAtEnd)
            }
            _ = accumulator.value(function, of: 0)
        }
    }

    @Test func `bins beyond the window are merged in any order alike`() {
        let (up, down) = (RankSketchAccumulator(), RankSketchAccumulator())
        up.extend(to: 1)
        down.extend(to: 1)
        for exponent in -150...150 {
            up.add(.real(pow10(exponent)), to: 0)
            down.add(.real(pow10(-exponent)), to: 0)
        }
        var a = ByteBuffer()
        var b = ByteBuffer()
        up.write(0, to: &a)
        down.write(0, to: &b)
        #expect(a.span.elementsEqual(b.span))
    }
}
