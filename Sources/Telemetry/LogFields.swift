import Primitives

/// The typed values beside a log message. A call of the logger hands one to its closure, which
/// adds to it; below the level the closure does not run, so its values cost nothing there:
///
///     log.warning("a sink cannot deliver") {
///         $0.add("sink", name)
///         $0.add("error", error)
///     }
///
/// A key is added once; nothing looks for a second.
package struct LogFields: ~Copyable {
    private(set) var line: ByteBuffer
    private let isHumanReadable: Bool

    init(_ line: consuming ByteBuffer, isHumanReadable: Bool) {
        self.line = line
        self.isHumanReadable = isHumanReadable
    }

    package mutating func add(_ key: StaticString, _ value: some LogEncodable) {
        value.add(to: &self, as: key)
    }

    /// Adds what the error says of itself.
    package mutating func add(_ key: StaticString, _ error: some Error) {
        add(key, "\(error)")
    }

    mutating func add(_ key: StaticString, integer: Int64) {
        open(key)
        line.append(decimal: integer)
    }

    mutating func add(_ key: StaticString, unsigned: UInt64) {
        open(key)
        line.append(decimal: unsigned)
    }

    mutating func add(_ key: StaticString, real: Double) {
        open(key)
        line.append(json: real)
    }

    mutating func add(_ key: StaticString, bool: Bool) {
        open(key)
        line.append(bool ? "true" : "false")
    }

    /// - Parameter text: UTF-8; other bytes become U+FFFD.
    mutating func add(_ key: StaticString, text: UnsafeRawBufferPointer) {
        open(key)
        if isHumanReadable {
            LogLine.append(printable: text, to: &line)
        } else {
            line.append(jsonString: text)
        }
    }

    /// The line so far. The fields are used up.
    consuming func finish() -> ByteBuffer { line }

    private mutating func open(_ key: StaticString) {
        let name = UnsafeRawBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)
        if isHumanReadable {
            line.append(" ")
            line.append(name)
            line.append("=")
        } else {
            line.append(",")
            line.append(jsonString: name)
            line.append(":")
        }
    }
}
