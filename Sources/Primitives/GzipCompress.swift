internal import CZlib

/// `bytes` as one gzip member (RFC 1952).
/// - Parameter level: 1 (fast) to 9 (small). 1 suits replies: four times as fast as 6 for a few
///   per cent more bytes.
package func gzipCompress(_ bytes: UnsafeRawBufferPointer, level: Int = 1) -> Bytes {
    guard let member = gzipCompress(bytes, level: level, until: .never) else {
        preconditionFailure("given up without a deadline")
    }
    return member
}

/// What is compressed between two looks at the clock: some 2 ms at level 1.
private let pieceBytes = 256 << 10

/// The same, unless it takes longer than until `deadline`.
/// - Returns: nil if it was given up, some milliseconds after the deadline. What is smaller than
///   256 KiB never is.
package func gzipCompress(
    _ bytes: UnsafeRawBufferPointer, level: Int = 1, until deadline: Deadline
) -> Bytes? {
    precondition((1...9).contains(level) && bytes.count <= Int(Int32.max))
    // On the heap, because zlib checks that its stream has not moved.
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    defer { stream.deallocate() }
    guard millrace_deflate_init(stream, Int32(level), 15 + 16) == Z_OK else {
        preconditionFailure("out of memory")
    }
    defer { deflateEnd(stream) }
    let bound = Int(deflateBound(stream, UInt(bytes.count)))
    var output = ByteBuffer(capacity: bound)
    let target = output.spare(bound)
    stream.pointee.next_in = UnsafeMutablePointer(
        mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = UInt32(clamping: target.count)
    // With `deflateBound` bytes of room each call takes all of its input, and the last one
    // finishes; that is what the function is for.
    var rest = bytes.count
    while rest > pieceBytes {
        stream.pointee.avail_in = UInt32(pieceBytes)
        let code = deflate(stream, Z_NO_FLUSH)
        precondition(code == Z_OK && stream.pointee.avail_in == 0)
        rest -= pieceBytes
        if deadline.hasPassed { return nil }
    }
    stream.pointee.avail_in = UInt32(rest)
    let code = deflate(stream, Z_FINISH)
    precondition(code == Z_STREAM_END)
    output.commit(target.count - Int(stream.pointee.avail_out))
    return output.freeze()
}
