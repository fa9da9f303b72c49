import Primitives
import TestSupport
import Testing

/// Redis fails in every way it can, and no client that posts notices.
///
/// What is promised is that a breaker opens within a second and closes within the time that it is
/// open at most; what is beyond that here is for a machine that runs many tests at once.
@Suite(.processes) struct StreamFaultTests {
    private static let slack = Duration.seconds(2) * slowness

    @Test(arguments: StreamFault.all)
    func `Redis fails and recovers`(fault: StreamFault) throws {
        let course = try StreamFaultCourse(fault)
        print(course)
        // Nobody who posts can tell.
        #expect(course.statuses.keys.allSatisfy { $0 == 202 }, "\(course.statuses)")
        #expect(course.unanswered == 0)
        #expect(course.accounting?.isRight == true, "\(course)")
        #expect(course.unsent.isEmpty, "\(course.unsent.count) \(course.unsent.prefix(5))")
        // It is seen, and goes by itself.
        #expect(course.opened <= .seconds(1) + StreamFaultTests.slack)
        #expect(course.closed <= course.promisedClose + StreamFaultTests.slack)
        #expect(course.errors.contains("Redis \(fault.error):"), "\(course.errors)")
        #expect(course.breakers == ["closed", "closed"])
        // Meanwhile it does without Redis, and says so.
        #expect(course.readyStatus == 200 && course.ready == "degraded")
        #expect(course.streamedReply == .init(status: 202, ack: "journaled"))
        #expect(course.storedReply == .init(status: 200, ack: "stored"))
        #expect(course.unforwarded > 0)
        #expect(fault.losesData ? course.losses >= 1 : course.losses == 0)
        #expect(course.exit == .exited(0))
        #expect(course.stderr.isEmpty, "\(course.stderr)")
    }
}
