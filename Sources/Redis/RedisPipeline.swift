import Primitives

/// Commands on their way to Redis, written as RESP (redis.io/docs/reference/protocol-spec) straight
/// into bytes: no `String` for an argument, no array for a command. One owner; keeps its memory
/// when cleared, so a thread that sends often keeps one.
package struct RedisPipeline: ~Copyable {
    package private(set) var commandCount = 0
    private(set) var bytes: ByteBuffer
    private var missingArguments = 0

    package init(capacity: Int = 512) { bytes = ByteBuffer(capacity: capacity) }

    /// Bytes so far; what a batch is cut by.
    package var byteCount: Int { bytes.count }
    package var isEmpty: Bool { commandCount == 0 }
    /// Whether the last command has all the arguments it was opened with.
    var isComplete: Bool { missingArguments == 0 }

    /// The commands as they will be sent: for tests of who writes them.
    package var encodedText: [UInt8] { Array(bytes.span) }

    /// Forgets all commands and gives back memory above `limit` bytes.
    package mutating func removeAll(keeping limit: Int = 4 << 20) {
        bytes.removeAll()
        bytes.shrink(above: limit)
        commandCount = 0
        missingArguments = 0
    }

    /// Opens a command; exactly `argumentCount` arguments must follow.
    package mutating func begin(_ name: StaticString, argumentCount: Int) {
        precondition(isComplete, "the command before lacks arguments")
        let header = bytes.spare(RedisPipeline.headerBytes)
        bytes.commit(RedisPipeline.write(UInt8(ascii: "*"), argumentCount + 1, to: header))
        missingArguments = argumentCount + 1
        add(literal: name)
        commandCount += 1
    }

    package mutating func add(_ argument: UnsafeRawBufferPointer) {
        precondition(missingArguments > 0, "more arguments than announced")
        missingArguments -= 1
        // One look at the capacity and one commit: this runs nine times for an event.
        let space = bytes.spare(argument.count + RedisPipeline.headerBytes + 2)
        var end = RedisPipeline.write(UInt8(ascii: "$"), argument.count, to: space)
        if argument.count > 0 {
            UnsafeMutableRawBufferPointer(rebasing: space[end...]).copyMemory(from: argument)
            end += argument.count
        }
        space[end] = UInt8(ascii: "\r")
        space[end + 1] = UInt8(ascii: "\n")
        bytes.commit(end + 2)
    }

    package mutating func add(literal argument: StaticString) {
        add(
            UnsafeRawBufferPointer(
                start: argument.utf8Start, count: argument.utf8CodeUnitCount))
    }

    package mutating func add(_ argument: String) {
        var argument = argument
        argument.withUTF8 { add(UnsafeRawBufferPointer($0)) }
    }

    package mutating func add(decimal argument: Int) {
        withUnsafeTemporaryAllocation(byteCount: RedisPipeline.headerBytes, alignment: 1) { text in
            text[0] = UInt8(ascii: "-")
            let end = writeDecimal(UInt64(argument.magnitude), to: text, at: 1)
            add(UnsafeRawBufferPointer(rebasing: text[(argument < 0 ? 0 : 1)..<end]))
        }
    }

    /// Appends one whole command that `body` writes itself, for senders that know its form by
    /// heart and send it a hundred thousand times a second.
    /// - Parameters:
    ///   - limit: the most bytes that it can have.
    ///   - body: writes RESP into the memory and returns how many bytes it took.
    package mutating func command(
        bytesAtMost limit: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        precondition(isComplete, "the command before lacks arguments")
        let written = body(bytes.spare(limit))
        precondition(written <= limit)
        bytes.commit(written)
        commandCount += 1
    }

    /// A whole command from strings, for what is not sent often.
    package mutating func command(_ name: StaticString, _ arguments: String...) {
        begin(name, argumentCount: arguments.count)
        for argument in arguments { add(argument) }
    }

    /// A kind, at most 20 digits, CR and LF.
    private static let headerBytes = 24

    /// Writes `*3\r\n` and the like.
    /// - Returns: how many bytes it took.
    private static func write(
        _ kind: UInt8, _ number: Int, to space: UnsafeMutableRawBufferPointer
    ) -> Int {
        space[0] = kind
        let end = writeDecimal(UInt64(number.magnitude), to: space, at: 1)
        space[end] = UInt8(ascii: "\r")
        space[end + 1] = UInt8(ascii: "\n")
        return end + 2
    }
}
