internal import Glibc
import Primitives
import SQLite

/// One condition with its operands as bytes and numbers.
struct ScanCondition {
    let reading: ScanLayout.Reading
    private let operation: QueryCondition.Operation
    private let matchesNull: Bool
    private let operands: [Operand]

    private enum Operand {
        case number(SQLValue)
        case text(Bytes)
        case boolean(Bool)
    }

    init(_ reading: ScanLayout.Reading, _ condition: QueryCondition) {
        self.reading = reading
        operation = condition.operation
        matchesNull = condition.matchesNull
        operands = condition.operands.compactMap { operand in
            switch operand {
            case .integer, .real: .number(operand)
            case .text(let text): .text(Bytes(text))
            case .blob(let bytes): .boolean(bytes == [1])
            case .null: nil
            }
        }
    }

    /// Whether a row counts whose field holds `value`.
    func holds(_ value: QueryValue) -> Bool {
        switch operation {
        case .exists: return isNull(value) == matchesNull
        case .eq, .in: return isAmong(value)
        // The exact opposite, so that a missing value is not equal either.
        case .ne: return !isAmong(value)
        case .lt: return ordered(value).map { $0 < 0 } ?? false
        case .le: return ordered(value).map { $0 <= 0 } ?? false
        case .gt: return ordered(value).map { $0 > 0 } ?? false
        case .ge: return ordered(value).map { $0 >= 0 } ?? false
        case .prefix: return texts(value).map { $0.starts(with: $1) } ?? false
        case .contains: return texts(value).map { ScanCondition.contains($0, $1) } ?? false
        }
    }

    private func isNull(_ value: QueryValue) -> Bool {
        if case .null = value { true } else { false }
    }

    private func isAmong(_ value: QueryValue) -> Bool {
        if case .null = value { return matchesNull }
        return operands.contains { operand in
            switch (operand, value) {
            case (.text(let a), .text(let b)): QueryValue.compare(a.span, b) == 0
            case (.boolean(let a), .boolean(let b)): a == b
            case (.number(let a), .integer), (.number(let a), .real):
                ScanCondition.compare(value, a) == 0
            default: false
            }
        }
    }

    /// Numbers are ordered among numbers and text among text; nil for anything else.
    private func ordered(_ value: QueryValue) -> Int? {
        switch (operands.first, value) {
        case (.number(let operand), .integer), (.number(let operand), .real):
            ScanCondition.compare(value, operand)
        case (.text(let operand), .text(let text)): QueryValue.compare(text, operand.span)
        default: nil
        }
    }

    private static func compare(_ value: QueryValue, _ operand: SQLValue) -> Int {
        switch operand {
        case .integer(let number): QueryValue.compare(value, .integer(number))
        case .real(let number): QueryValue.compare(value, .real(number))
        case .null, .text, .blob: 1
        }
    }

    private func texts(
        _ value: QueryValue
    ) -> (UnsafeRawBufferPointer, UnsafeRawBufferPointer)? {
        guard case .text(let text) = value, case .text(let operand)? = operands.first else {
            return nil
        }
        return (text, operand.span)
    }

    private static func contains(
        _ text: UnsafeRawBufferPointer, _ part: UnsafeRawBufferPointer
    ) -> Bool {
        guard let first = part.first, let wanted = part.baseAddress else { return true }
        guard let base = text.baseAddress, text.count >= part.count else { return false }
        var place = 0
        // Each place where the first byte stands: rarely many, and values have a size limit.
        while let found = memchr(base + place, Int32(first), text.count - part.count + 1 - place) {
            if memcmp(found, wanted, part.count) == 0 { return true }
            place = UnsafeRawPointer(found) - base + 1
            if place > text.count - part.count { return false }
        }
        return false
    }
}
