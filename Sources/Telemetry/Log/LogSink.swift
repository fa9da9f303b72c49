import Primitives

/// Where lines go: stdout, a file. One thread of its own calls it (`LogSinkLane`), so it may block.
package protocol LogSink: AnyObject, Sendable {
    /// At most 11 bytes count: the name of its thread.
    var name: String { get }
    /// Writes whole lines.
    /// - Throws: how far it came and why; called again with the rest.
    func write(_ lines: UnsafeRawBufferPointer) throws(LogSinkError)
    /// The next write opens what it writes to anew, because somebody has renamed it.
    func reopen()
    /// What is wrong although lines are written; nil: nothing.
    var complaint: String? { get }
    /// For a sink to which each write is dear; nil: lines are written as they come.
    var gathering: LogGathering? { get }
}

extension LogSink {
    package var complaint: String? { nil }
    package var gathering: LogGathering? { nil }
    package func reopen() {}
}

/// How lines are gathered before they are written together.
package struct LogGathering: Sendable {
    /// How long the first of them waits for others.
    package let time: Duration
    /// So many are written at once, or a single larger chunk.
    package let bytes: Int

    package init(time: Duration, bytes: Int) {
        self.time = time
        self.bytes = bytes
    }
}

/// Why a sink took no more.
package struct LogSinkError: Error, CustomStringConvertible {
    /// Bytes that were written before.
    package let written: Int
    /// Records that the sink will never take: they are counted as dropped, and the others of the
    /// lines are written. Nil: the lines are to be written again.
    package let refused: Int?
    package let description: String

    package init(written: Int, _ description: String) {
        self.written = written
        self.refused = nil
        self.description = description
    }

    /// What was written is done with, but for `refused` records.
    package init(refused: Int, _ description: String) {
        written = 0
        self.refused = refused
        self.description = description
    }
}

/// A sink and how records look in it.
package struct LogOutput: Sendable {
    package let sink: any LogSink
    package let look: LogLook

    package init(_ sink: any LogSink, _ look: LogLook) {
        self.sink = sink
        self.look = look
    }
}

/// Hands each line to a closure: for programs and tests that look at their own log.
final class ClosureSink: LogSink {
    let name = "closure"
    private let body: Logger.Sink

    init(_ body: @escaping Logger.Sink) { self.body = body }

    func write(_ lines: UnsafeRawBufferPointer) {
        var start = 0
        for index in lines.indices where lines[index] == UInt8(ascii: "\n") {
            body(UnsafeRawBufferPointer(rebasing: lines[start...index]))
            start = index + 1
        }
    }
}
