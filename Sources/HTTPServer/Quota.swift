import Primitives

/// What one key may use a second, and how much of that is left: requests, and events that it sends.
/// All event loops share it; it takes no lock, and nobody else's requests touch it.
///
///     if let refusal = quota.admit(sendsEvents: true, at: .now()) { throw refusal.problem }
///     quota.spend(events: 500, at: .now())   // Once the body is read.
///
/// How many events a body holds shows only when it is read, and a request must be refused before
/// that. So a request that sends events is let in while there is any left, and all of its events
/// are counted then: a large batch makes a debt, and the key's next one waits until that is paid.
package final class Quota: Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        case requests, events
    }

    package struct Rates: Equatable, Sendable {
        /// A second; nil: without limit.
        package var requests: Int?
        /// A second; nil: without limit.
        package var events: Int?

        package init(requests: Int? = nil, events: Int? = nil) {
            self.requests = requests
            self.events = events
        }
    }

    package struct Refusal: Sendable {
        /// The quota that is used up.
        package let kind: Kind
        package let problem: Problem
    }

    package let rates: Rates
    /// Of the field `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10).
    let policy: String
    private let requests: TokenBucket
    private let events: TokenBucket

    /// - Returns: nil without a limit.
    package init?(_ rates: Rates) {
        guard rates != Rates() else { return nil }
        self.rates = rates
        requests = TokenBucket(rate: rates.requests)
        events = TokenBucket(rate: rates.events)
        policy = [
            rates.requests.map { #""requests";q=\#($0);w=1"# },
            rates.events.map { #""events";q=\#($0);w=1;qu="events""# },
        ].compactMap { $0 }.joined(separator: ", ")
    }

    /// Counts a request, unless it must be refused. Any thread.
    package func admit(sendsEvents: Bool, at now: MonotonicTime) -> Refusal? {
        let eventsWait = sendsEvents ? events.wait(at: now) : .zero
        guard eventsWait == .zero else {
            let wait = max(eventsWait, requests.wait(at: now))
            return refusal(.events, rates.events, after: wait, now)
        }
        if requests.take(at: now) { return nil }
        return refusal(.requests, rates.requests, after: requests.wait(at: now), now)
    }

    /// Counts events that came in a request, also those that were refused one by one. Any thread.
    package func spend(events count: Int, at now: MonotonicTime) { events.spend(count, at: now) }

    /// Takes back what `spend` counted, where the client is told to send the same again. Any
    /// thread.
    package func giveBack(events count: Int) { events.giveBack(count) }

    private func refusal(
        _ kind: Kind, _ rate: Int?, after wait: Duration, _ now: MonotonicTime
    ) -> Refusal {
        let code = kind == .requests ? "request_quota_exceeded" : "event_quota_exceeded"
        var problem = Problem(
            429, code, "The key may send \(rate ?? 0) \(kind.rawValue) a second.", limit: rate,
            // Rounded up, and a moment that has just passed is a second too.
            retryAfterSeconds: Int(max(wait.wholeNanoseconds - 1, 0) / 1_000_000_000) + 1)
        var standing = ByteBuffer(capacity: Quota.standingBytes)
        append(to: &standing, at: now)
        problem.headers.append(("RateLimit-Policy", policy))
        problem.headers.append(("RateLimit", standing.text))
        return Refusal(kind: kind, problem: problem)
    }

    /// The longest value of the field `RateLimit`: two names, and two numbers of seven or eight
    /// digits each.
    static let standingBytes = 64
    private static let longestSeconds = 9_999_999

    /// Appends the value of the field `RateLimit`: what is left, and the seconds until all of it is
    /// there again.
    func append(to text: inout ByteBuffer, at now: MonotonicTime) {
        if rates.requests != nil {
            text.append(#""requests""#)
            Quota.append(requests.standing(at: now), to: &text)
        }
        if rates.events != nil {
            text.append(rates.requests == nil ? #""events""# : #", "events""#)
            Quota.append(events.standing(at: now), to: &text)
        }
    }

    private static func append(
        _ standing: (left: Int, fullInSeconds: Int), to text: inout ByteBuffer
    ) {
        text.append(";r=")
        text.append(decimal: standing.left)
        text.append(";t=")
        text.append(decimal: min(standing.fullInSeconds, longestSeconds))
    }
}
