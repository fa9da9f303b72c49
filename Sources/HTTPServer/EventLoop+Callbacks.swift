internal import CMicroHTTPD
internal import Glibc
import Primitives

// What libmicrohttpd calls, always on the loop's own thread. Global functions: a closure handed to C
// from Swift 6 code may carry an isolation check that traps on a foreign thread.

private func loop(_ context: UnsafeMutableRawPointer?) -> EventLoop? {
    context.map { Unmanaged<EventLoop>.fromOpaque($0).takeUnretainedValue() }
}

private func connection(_ context: UnsafeMutableRawPointer?) -> HTTPConnection? {
    context.map { Unmanaged<HTTPConnection>.fromOpaque($0).takeUnretainedValue() }
}

private func bytes(_ text: UnsafePointer<CChar>?) -> UnsafeRawBufferPointer {
    guard let text else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(start: text, count: strlen(text))
}

/// A connection opens or closes. The loop's table owns the connection; libmicrohttpd borrows it.
func connectionChanged(
    _ context: UnsafeMutableRawPointer?, _ handle: OpaquePointer?,
    _ socketContext: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
    _ notice: MHD_ConnectionNotificationCode
) {
    guard let loop = loop(context), let handle, let socketContext else { return }
    if millrace_connection_notice_is_start(notice) != 0 {
        let opened = loop.opened(handle)
        socketContext.pointee = Unmanaged.passUnretained(opened).toOpaque()
    } else if let closing = connection(socketContext.pointee) {
        socketContext.pointee = nil
        loop.closed(closing)
    }
}

/// libmicrohttpd answers somebody by itself, in the middle of a pass.
func libraryAnswering(_ context: UnsafeMutableRawPointer?, _ status: UInt32) {
    loop(context)?.answersItself(status: Int(status))
}

/// The request line is there: what is returned becomes the request's context.
///
/// The query is cut off in libmicrohttpd's buffer, for it would take it apart and store every
/// parameter in the memory of the connection, which nobody reads; where that is too small for them
/// it queues an error page, forgets that it did, and closes without a word (0.9.75).
func targetSeen(
    _ context: UnsafeMutableRawPointer?, _ target: UnsafePointer<CChar>?, _ handle: OpaquePointer?
) -> UnsafeMutableRawPointer? {
    guard let handle, let socketContext = millrace_connection_context(handle) else { return nil }
    connection(socketContext)?.begin(target: bytes(target))
    if let target, let query = strchr(target, Int32(UInt8(ascii: "?"))) { query[1] = 0 }
    return socketContext
}

/// The path is decoded by us, from the target as it came.
func keepEscapes(
    _ context: UnsafeMutableRawPointer?, _ handle: OpaquePointer?,
    _ text: UnsafeMutablePointer<CChar>?
) -> Int {
    text.map { strlen($0) } ?? 0
}

func handleAccess(
    _ context: UnsafeMutableRawPointer?, _ handle: OpaquePointer?, _ url: UnsafePointer<CChar>?,
    _ method: UnsafePointer<CChar>?, _ version: UnsafePointer<CChar>?,
    _ upload: UnsafePointer<CChar>?, _ uploadCount: UnsafeMutablePointer<Int>?,
    _ requestContext: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    guard let current = connection(requestContext?.pointee), let uploadCount else { return .NO }
    current.loop.hasActivity = true
    let goesOn: Bool
    if current.phase == .header {
        goesOn = current.headerComplete(
            method: bytes(method), target: url, version: bytes(version))
    } else if uploadCount.pointee > 0 {
        current.loop.hasProgress = true
        goesOn = current.received(UnsafeRawBufferPointer(start: upload, count: uploadCount.pointee))
        uploadCount.pointee = 0
    } else {
        goesOn = current.proceed()
    }
    return goesOn ? .YES : .NO
}

func requestCompleted(
    _ context: UnsafeMutableRawPointer?, _ handle: OpaquePointer?,
    _ requestContext: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
    _ code: MHD_RequestTerminationCode
) {
    guard let current = connection(requestContext?.pointee) else { return }
    requestContext?.pointee = nil
    current.loop.hasActivity = true
    current.ended(well: millrace_request_ended_well(code) != 0)
}

/// The next piece of a streaming reply.
func readStream(
    _ context: UnsafeMutableRawPointer?, _ position: UInt64, _ target: UnsafeMutablePointer<CChar>?,
    _ count: Int
) -> Int {
    guard let current = connection(context), let target else { return millrace_stream_end }
    return current.read(into: UnsafeMutableRawBufferPointer(start: target, count: count))
}

/// Judges a field after a chunked body; the context is a `Bool` that one that is not sound clears.
func judgeTrailer(
    _ context: UnsafeMutableRawPointer?, _ kind: MHD_ValueKind, _ name: UnsafePointer<CChar>?,
    _ nameCount: Int, _ value: UnsafePointer<CChar>?, _ valueCount: Int
) -> MHD_Result {
    let isSound = RequestGuard.checkTrailer(
        name: UnsafeRawBufferPointer(start: name, count: name == nil ? 0 : nameCount),
        value: UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : valueCount))
    if !isSound { context?.storeBytes(of: false, as: Bool.self) }
    return .YES
}

/// Gives the connection, which is the context, the next field of its request's header.
func appendHeader(
    _ context: UnsafeMutableRawPointer?, _ kind: MHD_ValueKind, _ name: UnsafePointer<CChar>?,
    _ nameCount: Int, _ value: UnsafePointer<CChar>?, _ valueCount: Int
) -> MHD_Result {
    guard let context, let name else { return .YES }
    Unmanaged<HTTPConnection>.fromOpaque(context).takeUnretainedValue().append(
        name: UnsafeRawBufferPointer(start: name, count: nameCount),
        value: UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : valueCount))
    return .YES
}
