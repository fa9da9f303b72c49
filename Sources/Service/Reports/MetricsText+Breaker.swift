import Resilience
import Telemetry

extension MetricsText {
    /// A family with a sample for each state of each breaker: 1 for the state that it is in.
    /// - Parameters:
    ///   - label: whose the breakers are: `sink`.
    ///   - breakers: their names and the states that they are in.
    mutating func breakers(
        _ family: String, _ help: String, _ label: String,
        _ breakers: [(name: String, mode: BreakerMode)]
    ) {
        self.family(family, .gauge, help)
        for breaker in breakers {
            for mode in BreakerMode.allCases {
                let isIn: UInt64 = breaker.mode == mode ? 1 : 0
                sample(family, [label: breaker.name, "state": mode.rawValue], isIn)
            }
        }
    }
}
