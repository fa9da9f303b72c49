import Synchronization
import Telemetry

/// What the bodies of all requests of a server may take in memory together.
///
/// Each may be as large as the body limit, more once it is inflated, and there may be thousands: 4,096
/// connections of 10 MiB would be 40 GiB. A body is charged as it grows, by what its buffer takes,
/// and not by what it announces, so nobody reserves what they do not send. Any thread.
package final class BodyBudget: Sendable {
    package let limitBytes: Int
    /// Of what has been received. The rest is for what it inflates to: otherwise bodies that wait
    /// for that could take all, and none would ever get on.
    private let receivedLimitBytes: Int
    private let used = Atomic<Int>(0)
    /// What of `used` is as it was received.
    private let received = Atomic<Int>(0)
    /// Bodies that found no room, since start.
    package let refused = Counter()

    init(limitBytes: Int, inflatingBytes: Int) {
        self.limitBytes = limitBytes
        receivedLimitBytes = limitBytes - inflatingBytes
    }

    package var usedBytes: Int { used.load(ordering: .relaxed) }

    /// Whether a body of `bytes` would find room now.
    func hasRoom(for bytes: Int) -> Bool {
        let room = min(
            limitBytes - usedBytes, receivedLimitBytes - received.load(ordering: .relaxed))
        return bytes <= BodyCharge.freeBytes || bytes <= room
    }

    /// - Returns: false, with nothing taken, if there is no room.
    fileprivate func take(_ bytes: Int, received receivedBytes: Int) -> Bool {
        let isRoom = used.wrappingAdd(bytes, ordering: .relaxed).newValue <= limitBytes
        let isRoomToReceive =
            receivedBytes == 0
            || received.wrappingAdd(receivedBytes, ordering: .relaxed).newValue
                <= receivedLimitBytes
        if isRoom, isRoomToReceive { return true }
        giveBack(bytes, received: receivedBytes)
        return false
    }

    fileprivate func giveBack(_ bytes: Int, received receivedBytes: Int) {
        used.wrappingSubtract(bytes, ordering: .relaxed)
        if receivedBytes > 0 { received.wrappingSubtract(receivedBytes, ordering: .relaxed) }
    }
}

/// What the body of one request has taken of the budget; `deinit` gives it back. Of whichever
/// thread has the request.
struct BodyCharge: ~Copyable {
    /// A body up to this costs nothing and no atomic: with 4,096 connections that is 64 MiB beside
    /// the budget. So small requests are served on while large ones are refused.
    static let freeBytes = 16 << 10

    /// Nil for a request without a server.
    private let budget: BodyBudget?
    private var bytes = 0
    /// What of these is as it was received.
    private var receivedBytes = 0

    init(_ budget: BodyBudget?) { self.budget = budget }

    deinit { if bytes > 0 { budget?.giveBack(bytes, received: receivedBytes) } }

    /// Takes what is missing to `wanted` bytes.
    /// - Parameter isReceived: for what comes from the client, not for what that inflates to.
    /// - Returns: false, with nothing taken and the refusal counted, if there is no room.
    mutating func cover(_ wanted: Int, isReceived: Bool) -> Bool {
        guard wanted > BodyCharge.freeBytes, wanted > bytes, let budget else { return true }
        let more = wanted - bytes
        guard budget.take(more, received: isReceived ? more : 0) else {
            budget.refused.add()
            return false
        }
        bytes = wanted
        if isReceived { receivedBytes += more }
        return true
    }

    /// Gives back what is beyond `held` bytes.
    mutating func settle(_ held: Int) {
        let rest = held > BodyCharge.freeBytes ? held : 0
        guard rest < bytes else { return }
        let receivedRest = min(receivedBytes, rest)
        budget?.giveBack(bytes - rest, received: receivedBytes - receivedRest)
        (bytes, receivedBytes) = (rest, receivedRest)
    }
}
