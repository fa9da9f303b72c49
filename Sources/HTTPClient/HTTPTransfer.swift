internal import CCurl
internal import Glibc
import Primitives

/// A request that libcurl works on. Owns the easy handle and everything the handle points to: the
/// body, the header list, the error text. The client's thread only.
final class HTTPTransfer {
    let easy: UnsafeMutableRawPointer
    private let request: HTTPRequest
    private let options: HTTPClientOptions
    /// Freed in `deinit`; libcurl reads it until the transfer ends.
    private var headerList: UnsafeMutablePointer<curl_slist>?
    /// CURL_ERROR_SIZE bytes that libcurl writes a message into.
    private let errorText: UnsafeMutablePointer<CChar>
    private var reply = ByteBuffer(capacity: 256)
    private var headerBytes = 0
    private var isTruncated = false
    private var isHeaderTooLarge = false

    /// - Returns: nil if libcurl has no memory for it.
    init?(_ request: HTTPRequest, _ options: HTTPClientOptions) {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
        self.request = request
        self.options = options
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        configureRequest()
        configureLimits()
    }

    /// The handle must not be part of a multi handle any more.
    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(headerList)
        errorText.deallocate()
    }

    private func configureRequest() {
        for line in request.headers { headerList = curl_slist_append(headerList, line) }
        // Without this libcurl waits a second for "100 Continue" before it sends a large body.
        headerList = curl_slist_append(headerList, "Expect:")
        setText(CURLOPT_URL, request.url)
        setLong(CURLOPT_POST, 1)
        setPointer(
            CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: request.body.span.baseAddress))
        check(
            millrace_curl_set_large(
                easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count)))
        setPointer(CURLOPT_HTTPHEADER, headerList.map { UnsafeMutableRawPointer($0) })
        setText(CURLOPT_USERAGENT, options.userAgent)
        setPointer(CURLOPT_ERRORBUFFER, errorText)
        let own = Unmanaged.passUnretained(self).toOpaque()
        setPointer(CURLOPT_WRITEDATA, own)
        setPointer(CURLOPT_HEADERDATA, own)
        check(millrace_curl_set_receiver(easy, CURLOPT_WRITEFUNCTION, receiveBody))
        check(millrace_curl_set_receiver(easy, CURLOPT_HEADERFUNCTION, receiveHeader))
    }

    private func configureLimits() {
        setText(CURLOPT_PROTOCOLS_STR, "http,https")
        setLong(CURLOPT_FOLLOWLOCATION, 0)
        // The environment is read in one room, and a proxy would be an elsewhere nobody chose.
        setText(CURLOPT_PROXY, "")
        // Signals would hit a process with many threads.
        setLong(CURLOPT_NOSIGNAL, 1)
        // A resolver that hangs must not hang the thread that gives up on it.
        setLong(CURLOPT_QUICK_EXIT, 1)
        // Few and large requests gain nothing from HTTP/2's streams.
        setLong(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        setLong(CURLOPT_SSL_VERIFYPEER, 1)
        setLong(CURLOPT_SSL_VERIFYHOST, 2)
        if let file = options.certificateFile { setText(CURLOPT_CAINFO, file) }
        setLong(CURLOPT_TCP_KEEPALIVE, 1)
        // Zero would mean no limit at all.
        let remaining = max(1, request.deadline.remaining.wholeMilliseconds)
        setLong(CURLOPT_TIMEOUT_MS, Int(min(remaining, 86_400_000)))
        setLong(CURLOPT_CONNECTTIMEOUT_MS, Int(min(remaining, 86_400_000)))
        setLong(CURLOPT_LOW_SPEED_LIMIT, options.lowSpeedBytesPerSecond)
        setLong(CURLOPT_LOW_SPEED_TIME, Int(options.lowSpeedTime.components.seconds))
    }

    // MARK: What libcurl calls

    /// - Returns: false to end the transfer.
    fileprivate func take(header bytes: UnsafeRawBufferPointer) -> Bool {
        // The header blocks of interim replies count together with the last one's: none may be
        // endless.
        headerBytes += bytes.count
        isHeaderTooLarge = headerBytes > options.headerLimitBytes
        return !isHeaderTooLarge
    }

    /// - Returns: false to end the transfer.
    fileprivate func take(body bytes: UnsafeRawBufferPointer) -> Bool {
        let room = options.replyLimitBytes - reply.count
        reply.append(UnsafeRawBufferPointer(rebasing: bytes.prefix(room)))
        isTruncated = bytes.count > room
        return !isTruncated
    }

    // MARK: The end

    /// Calls the completion with the result.
    func complete(_ result: CURLcode) {
        request.completion(outcome(result))
    }

    func complete(_ error: HTTPClientError) { request.completion(.failure(error)) }

    private func outcome(_ result: CURLcode) -> Result<HTTPReply, HTTPClientError> {
        if isHeaderTooLarge {
            let limit = options.headerLimitBytes
            return .failure(
                HTTPClientError(.tooLarge, "the reply's headers pass \(limit) bytes"))
        }
        guard result == CURLE_OK || isTruncated else {
            return .failure(HTTPClientError(result, detail: String(cString: errorText)))
        }
        var status = 0
        millrace_curl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        var seconds: curl_off_t = 0
        // Zero if there is no such header, or none that can be understood.
        millrace_curl_get_large(easy, CURLINFO_RETRY_AFTER, &seconds)
        return .success(
            HTTPReply(
                status: status, body: Bytes(reply.span), isTruncated: isTruncated,
                retryAfter: seconds > 0 ? .seconds(Int64(seconds)) : nil))
    }

    // MARK: Options

    /// An option can fail only if this libcurl does not know it or has no memory left.
    private func check(_ result: CURLcode) {
        precondition(result == CURLE_OK, "libcurl refused an option: \(result.rawValue)")
    }

    private func setLong(_ option: CURLoption, _ value: Int) {
        check(millrace_curl_set_long(easy, option, value))
    }

    private func setText(_ option: CURLoption, _ value: String) {
        check(millrace_curl_set_text(easy, option, value))
    }

    private func setPointer(_ option: CURLoption, _ value: UnsafeMutableRawPointer?) {
        check(millrace_curl_set_pointer(easy, option, value))
    }
}

/// The transfer is kept alive by the client's thread until libcurl has let go of the handle.
private func transfer(_ raw: UnsafeMutableRawPointer?) -> HTTPTransfer? {
    raw.map { Unmanaged<HTTPTransfer>.fromOpaque($0).takeUnretainedValue() }
}

/// Returning anything but the number of bytes ends the transfer.
private nonisolated func receiveBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ raw: UnsafeMutableRawPointer?
) -> Int {
    let received = UnsafeRawBufferPointer(start: bytes, count: size * count)
    return transfer(raw)?.take(body: received) == true ? received.count : -1
}

private nonisolated func receiveHeader(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ raw: UnsafeMutableRawPointer?
) -> Int {
    let received = UnsafeRawBufferPointer(start: bytes, count: size * count)
    return transfer(raw)?.take(header: received) == true ? received.count : -1
}
