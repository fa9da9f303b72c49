import Primitives
internal import Synchronization

/// A number that only grows. Any thread; one relaxed atomic addition.
package final class Counter: Sendable {
    private let value = Atomic<UInt64>(0)

    package init() {}
    package func add(_ amount: Int = 1) {
        value.add(UInt64(truncatingIfNeeded: amount), ordering: .relaxed)
    }
    package var count: UInt64 { value.load(ordering: .relaxed) }
}

/// How many observations fell into which range. Any thread; three relaxed atomic additions.
package final class Histogram: Sendable {
    /// OpenTelemetry's advice for request durations, in seconds, with finer steps below 5 ms.
    package static let durationBoundsSeconds: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5,
        7.5, 10,
    ]

    package let bounds: [Double]
    private let boundsNanoseconds: [UInt64]
    private let counters: [Counter]
    private let sumNanoseconds = Atomic<UInt64>(0)

    package init(bounds: [Double] = Histogram.durationBoundsSeconds) {
        self.bounds = bounds
        boundsNanoseconds = bounds.map { UInt64(($0 * 1e9).rounded()) }
        counters = (0...bounds.count).map { _ in Counter() }
    }

    package func observe(_ duration: Duration) {
        observe(nanoseconds: UInt64(clamping: duration.wholeNanoseconds))
    }

    /// The same without a `Duration`, whose parts take 128-bit divisions.
    package func observe(nanoseconds: UInt64) {
        var bucket = 0
        while bucket < boundsNanoseconds.count, nanoseconds > boundsNanoseconds[bucket] {
            bucket += 1
        }
        counters[bucket].add()
        sumNanoseconds.add(nanoseconds, ordering: .relaxed)
    }

    package var snapshot: HistogramSnapshot {
        HistogramSnapshot(
            bounds: bounds, counts: counters.map(\.count),
            sum: Double(sumNanoseconds.load(ordering: .relaxed)) / 1e9)
    }
}

/// A histogram at one moment.
package struct HistogramSnapshot: Sendable {
    package let bounds: [Double]
    /// Observations in each range; the last one is above all bounds.
    package private(set) var counts: [UInt64]
    /// Of all observations, in seconds.
    package private(set) var sum: Double

    package init(bounds: [Double], counts: [UInt64], sum: Double) {
        self.bounds = bounds
        self.counts = counts
        self.sum = sum
    }

    /// Of one observation; zero if there was none.
    package var meanSeconds: Double {
        let count = counts.reduce(0, +)
        return count == 0 ? 0 : sum / Double(count)
    }

    /// Adds what another histogram with the same bounds has seen.
    package mutating func add(_ other: HistogramSnapshot) {
        precondition(bounds == other.bounds)
        for index in counts.indices { counts[index] += other.counts[index] }
        sum += other.sum
    }
}

/// Writes the Prometheus text format, version 0.0.4.
package struct MetricsText: ~Copyable {
    package typealias Labels = KeyValuePairs<String, String>
    package enum Kind: String { case counter, gauge, histogram }

    package var buffer = ByteBuffer(capacity: 8192)

    package init() {}

    /// Opens a family; its samples follow. `name` carries its unit; counters end in `_total`.
    package mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        buffer.append("# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n")
    }

    package mutating func sample(_ name: String, _ labels: Labels = [:], _ value: UInt64) {
        open(name, labels, nil)
        buffer.append(decimal: value)
        buffer.append("\n")
    }

    package mutating func sample(_ name: String, _ labels: Labels = [:], _ value: Double) {
        open(name, labels, nil)
        buffer.append(value.description)
        buffer.append("\n")
    }

    package mutating func sample(
        _ name: String, _ labels: Labels = [:], _ histogram: HistogramSnapshot
    ) {
        var total: UInt64 = 0
        for (index, count) in histogram.counts.enumerated() {
            total += count
            let isLast = index == histogram.bounds.count
            open(name + "_bucket", labels, isLast ? "+Inf" : histogram.bounds[index].description)
            buffer.append(decimal: total)
            buffer.append("\n")
        }
        sample(name + "_sum", labels, histogram.sum)
        sample(name + "_count", labels, total)
    }

    /// A family of one sample without labels.
    package mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        family(name, .counter, help)
        sample(name, [:], value)
    }

    /// A family of one sample without labels.
    package mutating func gauge(_ name: String, _ help: String, _ value: some BinaryInteger) {
        family(name, .gauge, help)
        sample(name, [:], UInt64(clamping: value))
    }

    package consuming func finish() -> Bytes { buffer.freeze() }

    private mutating func open(_ name: String, _ labels: Labels, _ bound: String?) {
        buffer.append(name)
        if !labels.isEmpty || bound != nil {
            var separator: StaticString = "{"
            for (key, value) in labels {
                buffer.append(separator)
                buffer.append(key)
                buffer.append("=\"")
                append(escaped: value)
                buffer.append("\"")
                separator = ","
            }
            if let bound {
                buffer.append(separator)
                buffer.append("le=\"\(bound)\"")
            }
            buffer.append("}")
        }
        buffer.append(" ")
    }

    private mutating func append(escaped value: String) {
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): buffer.append("\\\\")
            case UInt8(ascii: "\""): buffer.append("\\\"")
            case UInt8(ascii: "\n"): buffer.append("\\n")
            default: buffer.append(byte)
            }
        }
    }
}
