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
        bytes.append(UInt8(ascii: "*"))
        bytes.append(decimal: argumentCount + 1)
        bytes.append(UInt8(ascii: "\r"))
        bytes.append(UInt8(ascii: "\n"))
        missingArguments = argumentCount + 1
        add(literal: name)
        commandCount += 1
    }

    package mutating func add(_ argument: UnsafeRawBufferPointer) {
        precondition(missingArguments > 0, "more arguments than announced")
        missingArguments -= 1
        addLength(argument.count)
        bytes.append(argument)
        bytes.append(UInt8(ascii: "\r"))
        bytes.append(UInt8(ascii: "\n"))
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

    package mutating func add(decimal argument: some BinaryInteger) { add("\(argument)") }

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

    private mutating func addLength(_ length: Int) {
        bytes.append(UInt8(ascii: "$"))
        bytes.append(decimal: length)
        bytes.append(UInt8(ascii: "\r"))
        bytes.append(UInt8(ascii: "\n"))
    }
}
