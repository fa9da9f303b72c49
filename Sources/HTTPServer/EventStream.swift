import Primitives

/// A reply that is written while it is sent: Server-Sent Events. Its queue is bounded; what does not
/// fit is refused, and the writer decides what to drop.
package final class EventStream: Sendable {
    private struct State {
        var chunks: [Bytes] = []
        var firstOffset = 0
        var queuedBytes = 0
        var isFinished = false
        var isClosed = false
        var wake: (@Sendable () -> Void)?
        var onClose: [@Sendable () -> Void] = []
    }

    private let limitBytes: Int
    private let state = Locked(State())

    /// - Parameter limitBytes: what may wait for a slow client; 256 KiB is some hundred events.
    package init(limitBytes: Int = 256 << 10) { self.limitBytes = limitBytes }

    /// Queues `bytes`, at once or after what is queued; something larger than the limit is taken by
    /// an empty queue. Any thread.
    /// - Returns: false, with nothing queued, when the client is too slow or has gone.
    package func send(_ bytes: Bytes) -> Bool {
        let wake: (@Sendable () -> Void)?? = state.withLock { state in
            guard !state.isFinished, !state.isClosed,
                state.queuedBytes == 0 || state.queuedBytes + bytes.count <= limitBytes
            else { return nil }
            state.chunks.append(bytes)
            state.queuedBytes += bytes.count
            return .some(state.wake)
        }
        guard let wake else { return false }
        wake?()
        return true
    }

    /// A client that had filled the queue has taken half of it.
    package var isHalfEmpty: Bool { state.withLock { $0.queuedBytes <= limitBytes / 2 } }

    /// Ends the reply once what is queued has been sent.
    package func finish() {
        let wake = state.withLock { state in
            state.isFinished = true
            return state.wake
        }
        wake?()
    }

    /// The client has gone, or the reply is complete.
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Calls `body` once the client has gone or the reply is complete; at once if that is past.
    package func onClose(_ body: @escaping @Sendable () -> Void) {
        let isPast = state.withLock { state in
            if !state.isClosed { state.onClose.append(body) }
            return state.isClosed
        }
        if isPast { body() }
    }

    /// Called by the event loop: `wake` is to make it ask again.
    func attach(wake: @escaping @Sendable () -> Void) { state.withLock { $0.wake = wake } }

    /// Called by the event loop when the request is over.
    func close() {
        let bodies = state.withLock { state in
            defer {
                state.isClosed = true
                state.chunks = []
                state.wake = nil
                state.onClose = []
            }
            return state.onClose
        }
        for body in bodies { body() }
    }

    enum Read: Equatable {
        case bytes(Int)
        case nothing
        case end
    }

    /// Moves queued bytes into `target`. Called by the event loop.
    func read(into target: UnsafeMutableRawBufferPointer) -> Read {
        state.withLock { state in
            var written = 0
            var emptied = 0
            while written < target.count, emptied < state.chunks.count {
                let chunk = state.chunks[emptied]
                let count = min(chunk.count - state.firstOffset, target.count - written)
                let source = UnsafeRawBufferPointer(
                    rebasing: chunk.span[state.firstOffset..<state.firstOffset + count])
                UnsafeMutableRawBufferPointer(rebasing: target[written..<written + count])
                    .copyMemory(from: source)
                written += count
                state.firstOffset += count
                if state.firstOffset == chunk.count {
                    emptied += 1
                    state.firstOffset = 0
                }
            }
            state.chunks.removeFirst(emptied)
            state.queuedBytes -= written
            if written > 0 { return .bytes(written) }
            return state.isFinished ? .end : .nothing
        }
    }
}
