internal import CCurl
import Primitives

/// libcurl's multi handle: transfers that share one thread and its connections. The client's
/// thread only, except for `wake`.
final class MultiHandle: @unchecked Sendable {  // libcurl lets any thread call `wake`.
    private let handle: UnsafeMutableRawPointer

    /// libcurl sets itself up once a process, on whichever thread comes first; it is never undone,
    /// since another client may be using it.
    private static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    init(_ options: HTTPClientOptions) {
        precondition(MultiHandle.isReady, "libcurl cannot be set up")
        guard let handle = curl_multi_init() else { preconditionFailure("out of memory") }
        self.handle = handle
        for (option, value) in [
            (CURLMOPT_MAX_TOTAL_CONNECTIONS, options.inFlightLimit),
            (CURLMOPT_MAXCONNECTS, options.idleConnectionLimit),
        ] { millrace_curl_multi_set_long(handle, option, value) }
    }

    /// Closes the connections. No transfer may be left.
    deinit { curl_multi_cleanup(handle) }

    /// - Returns: false if libcurl does not take it.
    func add(_ transfer: HTTPTransfer) -> Bool {
        curl_multi_add_handle(handle, transfer.easy) == CURLM_OK
    }

    func remove(_ transfer: HTTPTransfer) { curl_multi_remove_handle(handle, transfer.easy) }

    /// Does what can be done without waiting, and calls the transfers' callbacks.
    func perform() {
        var running: Int32 = 0
        curl_multi_perform(handle, &running)
    }

    /// The handle of a transfer that has ended, and its result; nil when there is none.
    func nextEnded() -> (easy: UnsafeMutableRawPointer, result: CURLcode)? {
        var result = CURLE_OK
        return millrace_curl_multi_ended(handle, &result).map { ($0, result) }
    }

    /// Waits until there is something to do, somebody calls `wake`, or `limit` has passed.
    func wait(_ limit: Duration) {
        let milliseconds = Int32(clamping: limit.wholeMilliseconds + 1)
        curl_multi_poll(handle, nil, 0, milliseconds, nil)
    }

    /// Ends a `wait`, the next one if none is going on. Any thread.
    func wake() { curl_multi_wakeup(handle) }
}
