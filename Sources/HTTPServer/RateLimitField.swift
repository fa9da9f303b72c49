internal import CMicroHTTPD
import Primitives

/// The field `RateLimit` of a reply that is sent again and again: written over in place, and filled
/// up with spaces, which end no field's value (RFC 9110, section 5.5). On the loop's thread.
final class RateLimitField {
    let quota: Quota
    /// In libmicrohttpd's response, which lives as long as what holds this.
    private let value: UnsafeMutablePointer<CChar>
    private var text = ByteBuffer(capacity: Quota.standingBytes)

    /// - Returns: nil if `reply` has no such field.
    init?(of reply: OpaquePointer, _ quota: Quota?) {
        guard let quota, let value = millrace_response_value(reply, "RateLimit") else { return nil }
        self.quota = quota
        self.value = value
    }

    /// Says how the quota stands at `now`.
    func write(at now: MonotonicTime) {
        text.removeAll()
        RateLimitField.append(quota, to: &text, at: now)
        UnsafeMutableRawBufferPointer(start: value, count: Quota.standingBytes)
            .copyMemory(from: text.span)
    }

    /// The value at its full length.
    static func append(_ quota: Quota, to text: inout ByteBuffer, at now: MonotonicTime) {
        quota.append(to: &text, at: now)
        while text.count < Quota.standingBytes { text.append(UInt8(ascii: " ")) }
    }
}
