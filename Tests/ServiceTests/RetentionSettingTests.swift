import Storage
import Testing

@testable import Service

@Suite struct RetentionSettingTests {
    @Test(arguments: [
        "retention: { default: 90d, \"http.*\": 7d, order: off }\n",
        "retention:\n  default: 90d\n  http.*: 7d\n  order: off\n",
        "retention: 90d,http.*=7d,order=off\n", "retention: [90d, http.*=7d, order=off]\n",
    ])
    func `ages by type may be a mapping or a text`(yaml: String) throws {
        let policy = try Configuration.load(yaml: yaml).retention
        #expect(policy.standard == .seconds(90 * 86_400))
        #expect(
            policy.rules == [
                .init(type: "http.*", age: .seconds(7 * 86_400)), .init(type: "order", age: nil),
            ])
        #expect(RetentionText.format(policy) == "90d,http.*=7d,order=off")
        #expect(RetentionText.parse(RetentionText.format(policy)) == policy)
    }

    @Test func `a type may hold the sign, and without an age of their own types are kept`() throws {
        let policy = try Configuration.load(flags: ["retention": "a=b=1h"]).retention
        #expect(policy.age(of: "a=b") == .seconds(3600) && policy.age(of: "c") == nil)
        #expect(!policy.keepsAll)
        #expect(try Configuration.load(flags: ["retention": "off"]).retention.keepsAll)
        #expect(try Configuration.load(flags: ["retention": "off,a=off"]).retention.keepsAll)
    }

    @Test(arguments: [
        "1d,2d", "a=1d,a=2d", "a=", "=1d", "a*b=1d", "a=forever", "1d,", "a=1d,,", "a=0s",
    ])
    func `what is no age is refused`(text: String) {
        #expect(RetentionText.parse(text) == nil)
        #expect(Configuration.problems(flags: ["retention": text]).count == 1)
    }

    @Test(arguments: [
        "logs: { retention: { default: 30d, noisy: 2d, \"audit*\": off } }\n",
        "logs-retention: { default: 30d, noisy: 2d, audit*: off }\n",
        "logs-retention: 30d,noisy=2d,audit*=off\n",
    ])
    func `ages of logs are by service, in the same forms`(yaml: String) throws {
        let policy = try Configuration.load(yaml: yaml).logsRetention
        #expect(
            policy
                == RetentionPolicy(
                    standard: .seconds(30 * 86_400),
                    rules: [
                        .init(type: "noisy", age: .seconds(2 * 86_400)),
                        .init(type: "audit*", age: nil),
                    ]))
        // A day is a file, so less than an hour would say more than is done.
        #expect(Configuration.problems(flags: ["logs-retention": "30d,noisy=10m"]).count == 1)
    }

    @Test func `a wrong age of a mapping is told with its line`() throws {
        let file = try TemporaryFile("port: 1\nretention:\n  default: 1d\n  a: [1d]\n")
        let found = file.use { Configuration.problems(flags: ["config": $0]) }
        #expect(found.count == 1 && found[0].contains(":4: retention.a is no age"), "\(found)")
    }
}
