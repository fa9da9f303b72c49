/// One record in a ring, read where it lies (`LogLayout`). Valid until the ring's tail moves on.
struct LogRecord {
    enum Value {
        case integer(Int64)
        case unsigned(UInt64)
        case real(Double)
        case bool(Bool)
        case text(UnsafeRawBufferPointer)
    }

    struct Correlation {
        let traceHigh: UInt64
        let traceLow: UInt64
        let span: UInt64
        let requestID: UnsafeRawBufferPointer
    }

    private let base: UnsafeRawPointer
    private let head: UInt64

    init(_ base: UnsafeRawPointer) {
        self.base = base
        head = base.load(as: UInt64.self)
    }

    /// Of all, a multiple of 8.
    var size: Int { Int(head & 0xFFFF_FFFF) }
    var level: LogLevel { LogLevel(rawValue: Int(head >> 32 & 0xFF)) ?? .critical }
    /// Since 1970.
    var nanoseconds: UInt64 = 0
    /// The same as its thread read it; `LogClock` says what it means.
    var ticks: UInt64 { base.load(fromByteOffset: 8, as: UInt64.self) }
    var messageAddress: UInt64 { base.load(fromByteOffset: 16, as: UInt64.self) }
    var message: UnsafeRawBufferPointer {
        LogRecord.constant(messageAddress, Int(head >> 48))
    }

    /// Whether the name lies in the record, and so is no constant.
    func contains(_ name: UnsafeRawBufferPointer) -> Bool {
        guard let start = name.baseAddress else { return true }
        return start >= base && start < base + size
    }

    private var isCorrelated: Bool { UInt8(head >> 40 & 0xFF) & LogLayout.correlated != 0 }

    var correlation: Correlation? {
        guard isCorrelated else { return nil }
        func word(_ offset: Int) -> UInt64 { base.load(fromByteOffset: offset, as: UInt64.self) }
        return Correlation(
            traceHigh: word(24), traceLow: word(32), span: word(40),
            requestID: UnsafeRawBufferPointer(start: base + 56, count: Int(word(48))))
    }

    /// Calls `body` with each field in the order in which they were added.
    func forEachField(_ body: (UnsafeRawBufferPointer, Value) -> Void) {
        var offset = LogLayout.headerBytes
        if isCorrelated {
            offset = 56 + LogLayout.padded(Int(base.load(fromByteOffset: 48, as: UInt64.self)))
        }
        while offset < size {
            let head = base.load(fromByteOffset: offset, as: UInt64.self)
            let word = base.load(fromByteOffset: offset + 8, as: UInt64.self)
            offset += 16
            let value: Value
            switch LogLayout.Kind(rawValue: UInt8(head >> 56)) {
            case .integer: value = .integer(Int64(bitPattern: word))
            case .unsigned: value = .unsigned(word)
            case .real: value = .real(Double(bitPattern: word))
            case .bool: value = .bool(word != 0)
            case .constant:
                let length = base.load(fromByteOffset: offset, as: UInt64.self)
                value = .text(LogRecord.constant(word, Int(length)))
                offset += 8
            case .text:
                value = .text(UnsafeRawBufferPointer(start: base + offset, count: Int(word)))
                offset += LogLayout.padded(Int(word))
            case .named:
                let length = Int(base.load(fromByteOffset: offset, as: UInt64.self))
                let name = UnsafeRawBufferPointer(start: base + offset + 8, count: Int(word))
                offset += 8 + LogLayout.padded(Int(word))
                body(name, .text(UnsafeRawBufferPointer(start: base + offset, count: length)))
                offset += LogLayout.padded(length)
                continue
            case nil: return
            }
            body(LogRecord.constant(head & LogLayout.addressMask, Int(head >> 48 & 0xFF)), value)
        }
    }

    private static func constant(_ address: UInt64, _ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(address)), count: count)
    }
}
