import Primitives

/// Compresses replies for clients that accept it (RFC 9110, section 12.5.3).
package enum ReplyCoding {
    /// Below this the header costs more than compression saves.
    package static let minimumBytes = 1024
    /// What an event loop compresses takes a tenth of a millisecond at most; everybody else waits for it.
    private static let loopLimitBytes = 16 << 10

    /// `response`, compressed if it is large enough and the client takes gzip.
    /// - Parameter isOnLoop: called on an event loop, where a large reply stays as it is. What is large
    ///   and often asked for is a `SharedReply`, compressed once.
    package static func apply(
        _ response: Response, _ headers: borrowing HeaderList, isOnLoop: Bool = false
    ) -> Response {
        guard case .bytes(let bytes) = response.body, bytes.count > minimumBytes,
            !response.isCoded, response.header("Content-Encoding") == nil,
            !isOnLoop || bytes.count <= loopLimitBytes
        else { return response }
        var coded = response
        coded.add("Vary", "Accept-Encoding")
        guard let accepted = headers.first("accept-encoding"), accepts(accepted, "gzip") else {
            return coded
        }
        guard let smaller = gzipCompress(bytes.span, until: response.codingDeadline) else {
            return coded
        }
        coded.body = .bytes(smaller)
        coded.add("Content-Encoding", "gzip")
        return coded
    }

    /// Whether the client takes gzip.
    package static func acceptsGzip(_ headers: borrowing HeaderList) -> Bool {
        headers.first("accept-encoding").map { accepts($0, "gzip") } ?? false
    }

    /// Whether the list `accepted` has `coding` or `*` with a weight above zero. One that is longer than
    /// any client has a use for is not looked at.
    static func accepts(_ accepted: UnsafeRawBufferPointer, _ coding: StaticString) -> Bool {
        guard accepted.count <= HeaderList.listLimitBytes else { return false }
        var byStar: Bool?
        for item in accepted.split(separator: UInt8(ascii: ",")) {
            let parts = UnsafeRawBufferPointer(rebasing: item).split(
                separator: UInt8(ascii: ";"), maxSplits: 1, omittingEmptySubsequences: false)
            let name = UnsafeRawBufferPointer(rebasing: parts[0]).trimmed
            let weight = parts.count > 1 ? UnsafeRawBufferPointer(rebasing: parts[1]).trimmed : nil
            let isWanted = !(weight.map(isZero) ?? false)
            if name.isEqualIgnoringCase(to: coding) { return isWanted }
            if name.isEqual(to: "*") { byStar = isWanted }
        }
        return byStar ?? false
    }

    /// `q=0`, `q=0.0`, `q=0.000`.
    private static func isZero(_ weight: UnsafeRawBufferPointer) -> Bool {
        guard weight.count >= 3, weight[0] | 0x20 == UInt8(ascii: "q"),
            weight[1] == UInt8(ascii: "=")
        else { return false }
        return weight[2...].allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ".") }
    }
}
