internal import Glibc
import Primitives

/// A request without a body as it lies in libmicrohttpd's buffer. Valid until the request ends.
///
/// libmicrohttpd has parsed it in place: separators have become zero bytes. A client can send zero
/// bytes too, to hide a line behind one; such a request has fewer fields than one that looks the same
/// and hides nothing, so the number of fields belongs to what is compared.
struct RequestBytes {
    /// From the method to the end of the empty line; the first byte of a query is lost.
    let header: UnsafeRawBufferPointer
    /// As it came, query and escapes included.
    let target: UnsafeRawBufferPointer
    let fieldCount: Int

    /// Longer ones are not remembered.
    static let limitBytes = 4096
    private static let leastBytes = 16

    /// - Returns: nil for a header that is too long to remember, or not known.
    init?(
        method: UnsafeRawBufferPointer, headerBytes: Int, target: UnsafeRawBufferPointer,
        fieldCount: Int
    ) {
        guard let start = method.baseAddress,
            (RequestBytes.leastBytes...RequestBytes.limitBytes).contains(headerBytes)
        else { return nil }
        header = UnsafeRawBufferPointer(start: start, count: headerBytes)
        self.target = target
        self.fieldCount = fieldCount
    }

    /// For a table that compares what it finds: a client that makes hashes collide makes its own
    /// requests slower. Each word is multiplied in full, as wyhash does (Wang Yi).
    func hash(seed: UInt64) -> UInt64 {
        guard let start = header.baseAddress else { return seed }
        var hash = seed ^ UInt64(header.count)
        var offset = 0
        let last = header.count - 8
        while offset < last {
            hash = RequestBytes.mix(hash, start + offset)
            offset += 8
        }
        return RequestBytes.mix(hash, start + last)
    }

    @inline(__always)
    private static func mix(_ hash: UInt64, _ place: UnsafeRawPointer) -> UInt64 {
        let word = place.loadUnaligned(as: UInt64.self)
        let product = (hash ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }
}

/// A copy of a request's bytes, to compare others with.
final class KnownRequest {
    private let bytes: UnsafeMutableRawPointer
    private let headerCount: Int
    private let targetCount: Int
    private let fieldCount: Int

    /// - Returns: nil if there is no memory.
    init?(_ request: RequestBytes) {
        headerCount = request.header.count
        targetCount = request.target.count
        fieldCount = request.fieldCount
        guard let header = request.header.baseAddress, let target = request.target.baseAddress,
            let bytes = malloc(headerCount + targetCount)
        else { return nil }
        memcpy(bytes, header, headerCount)
        memcpy(bytes + headerCount, target, targetCount)
        self.bytes = bytes
    }

    deinit { free(bytes) }

    func isSame(_ request: RequestBytes) -> Bool {
        guard request.header.count == headerCount, request.target.count == targetCount,
            request.fieldCount == fieldCount, let header = request.header.baseAddress,
            let target = request.target.baseAddress
        else { return false }
        return memcmp(header, bytes, headerCount) == 0
            && memcmp(target, bytes + headerCount, targetCount) == 0
    }
}
