internal import CZlib

/// Undoing the content codings of RFC 9110, section 8.4.1, for bytes that nobody trusts.
package enum Inflate {
    package enum Coding: Sendable {
        /// RFC 1952, one member or several.
        case gzip
        /// RFC 1950 (zlib); also raw RFC 1951, which some clients send under this name.
        case deflate
    }

    package struct Limits: Sendable {
        package var outputBytes: Int
        /// Output bytes an input byte. DEFLATE reaches 1,032; honest JSON mostly stays below 30.
        package var ratio: Int

        /// Output up to which the ratio is not asked: a small batch of equal events packs better
        /// than any bomb needs to, and harms nobody.
        package static let bytesAtAnyRatio = 1 << 20

        package init(outputBytes: Int, ratio: Int = 100) {
            self.outputBytes = outputBytes
            self.ratio = ratio
        }
    }

    /// Appends what `input` inflates to. On an error `output` is as it was.
    ///
    /// Never more than one byte beyond the smaller limit is inflated, whatever the input claims.
    /// - Parameter mayGrow: asked before `output` grows, with its new capacity in bytes (the one
    ///   beyond the limit left out); false ends it with `outOfMemory`.
    package static func inflate(
        _ input: UnsafeRawBufferPointer, _ coding: Coding, limits: Limits,
        into output: inout ByteBuffer, mayGrow: (Int) -> Bool = { _ in true }
    ) throws(InflateError) {
        let start = output.count
        let byRatio = input.count.multipliedReportingOverflow(by: limits.ratio)
        let ratioLimit =
            byRatio.overflow ? Int.max : max(byRatio.partialValue, Limits.bytesAtAnyRatio)
        let allowed = min(limits.outputBytes, ratioLimit)
        do throws(InflateError) {
            let stream = try InflateStream(input, windowBits: windowBits(coding, input))
            try stream.run(
                into: &output, limit: start + allowed, isGzip: coding == .gzip, mayGrow)
        } catch {
            output.truncate(to: start)
            throw error == .tooLarge && ratioLimit < limits.outputBytes ? .ratio : error
        }
    }

    /// zlib's number for a container: 15 bits of window; +16 is gzip, negative none.
    ///
    /// A zlib header is recognised by its check bits (RFC 1950, section 2.2). No compressor starts
    /// a raw stream like that: it would be a stored block with ones in its padding.
    private static func windowBits(_ coding: Coding, _ input: UnsafeRawBufferPointer) -> Int32 {
        if coding == .gzip { return 15 + 16 }
        guard input.count >= 2, input[0] & 0x0F == 8,
            (Int(input[0]) << 8 | Int(input[1])) % 31 == 0
        else { return -15 }
        return 15
    }
}

/// Why bytes do not inflate.
package enum InflateError: Error, Equatable, Sendable {
    /// The input ends before its stream does.
    case truncated
    /// Not of that coding, a wrong checksum, or something behind the end.
    case corrupt
    /// More output than the limit.
    case tooLarge
    /// More output an input byte than the limit.
    case ratio
    case outOfMemory
}

/// Owns one zlib stream. On the heap, because zlib checks that its stream has not moved.
private final class InflateStream {
    /// What one call of zlib is offered at least, so that few calls are needed.
    private static let stepBytes = 16 << 10

    private let stream: UnsafeMutablePointer<z_stream>

    /// `input` must outlive this. The corresponding C function is `inflateInit2`.
    init(_ input: UnsafeRawBufferPointer, windowBits: Int32) throws(InflateError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // zlib counts in 32 bits and, from the days before const, takes what it reads as mutable.
        guard let inputBytes = UInt32(exactly: input.count) else { throw .tooLarge }
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = inputBytes
        // `deinit` runs after a throw as well, and inflateEnd minds streams that never began.
        guard millrace_inflate_init(stream, windowBits) == Z_OK else { throw .outOfMemory }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Inflates until the input's end, at most up to `limit` bytes in `output`.
    func run(
        into output: inout ByteBuffer, limit: Int, isGzip: Bool, _ mayGrow: (Int) -> Bool
    ) throws(InflateError) {
        while true {
            try runMember(into: &output, limit: limit, mayGrow)
            if stream.pointee.avail_in == 0 { return }
            guard isGzip, inflateReset(stream) == Z_OK else { throw .corrupt }
        }
    }

    private func runMember(
        into output: inout ByteBuffer, limit: Int, _ mayGrow: (Int) -> Bool
    ) throws(InflateError) {
        while true {
            // One byte more than allowed: how else to tell a stream that ends at the limit?
            let room = limit + 1 - output.count
            let step = min(room, InflateStream.stepBytes)
            if output.count + step > output.capacity {
                let larger = max(output.count + step, min(output.capacity * 2, limit + 1))
                guard mayGrow(min(larger, limit)) else { throw .outOfMemory }
                output.reserve(capacity: larger)
            }
            let target = output.spare(step)
            let offered = min(target.count, room, Int(Int32.max))
            stream.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_out = UInt32(offered)
            let code = CZlib.inflate(stream, Z_NO_FLUSH)
            output.commit(offered - Int(stream.pointee.avail_out))
            if output.count > limit { throw .tooLarge }
            switch code {
            case Z_STREAM_END: return
            case Z_OK: continue
            case Z_BUF_ERROR where stream.pointee.avail_in == 0: throw .truncated
            case Z_MEM_ERROR: throw .outOfMemory
            default: throw .corrupt
            }
        }
    }
}
