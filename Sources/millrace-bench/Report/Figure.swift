/// One number that was measured.
struct Figure: Sendable {
    enum Unit: String, Sendable {
        case perSecond = "1/s"
        case bytesPerSecond = "bytes/s"
        case nanoseconds = "ns"
        case bytes
        /// Whole things; `count` may be a mean.
        case number
        case count
        case ratio
    }

    /// What is counted for rates (`events/s`), else what it is (`p99`).
    let name: String
    let unit: Unit
    let value: Double

    init(_ name: String, _ unit: Unit, _ value: Double) {
        self.name = name
        self.unit = unit
        self.value = value
    }
}
