import Query
import Testing

@testable import Service

@Suite struct RollupSettingsTests {
    @Test func `a rollup is a name and what it keeps`() throws {
        let rollups = try Configuration.load(
            yaml:
                """
                rollups:
                  - name: pages
                    event: [page_view, "page.*"]
                    interval: 1h
                    group_by: [country, data.path, ext.tenant]
                    metrics: [count, avg:ms, p95:ms, uniq:user]
                    max_groups: 50
                  - { name: all, interval: 1d, metrics: count }
                """
        ).rollups
        #expect(rollups.map(\.name) == ["all", "pages"])
        #expect(rollups[0].types.isEmpty && rollups[0].groups.isEmpty)
        #expect(rollups[0].metrics.map(\.name) == ["count"] && rollups[0].interval == .day)
        #expect(rollups[0].maxGroups == Rollup.defaultMaxGroups)
        #expect(rollups[1].types == ["page_view", "page.*"])
        #expect(rollups[1].groups.map(\.name) == ["country", "data.path", "ext.tenant"])
        #expect(rollups[1].metrics.map(\.name) == ["count", "avg:ms", "p95:ms", "uniq:user"])
        #expect(rollups[1].interval == .hour && rollups[1].maxGroups == 50)
        #expect(try Configuration.load(yaml: "port: 1\n").rollups.isEmpty)
    }

    @Test func `what is wrong with a rollup is told with its line`() throws {
        let found = try Configuration.problems(
            yaml:
                """
                rollups:
                  - name: a
                    interval: 1w
                    metrics: [count]
                  - name: b
                    interval: 1h
                    metrics: [p95]
                    group_by: [id]
                  - name: c
                    interval: 1h
                  - name: d
                    interval: 1h
                    metrics: [uniq:type]
                    max_group: 5
                """)
        #expect(found.count == 6, "\(found)")
        #expect(found[0].contains("rollups-a-interval: `1w` (file FILE:3) is not one of 1m, 5m"))
        #expect(found[1].contains("FILE:7") && found[1].contains("sum:F"))
        #expect(found[2].contains("FILE:8") && found[2].contains("must not name id"))
        #expect(found[3].contains("rollups.c") && found[3].contains("nothing to keep"))
        #expect(found[4].contains("FILE:13") && found[4].contains("time, subject, data"))
        #expect(found[5].contains("FILE:14") && found[5].contains("did you mean max_groups?"))
    }
}
