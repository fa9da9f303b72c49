import Testing

@Suite struct ImportTests {
    let sources = Repository.sources

    @Test(arguments: ImportRule.wrappers + ImportRule.borders)
    func `a module is imported only by the rooms it is meant for`(_ rule: ImportRule) {
        let offenders = sources.filter { !rule.allowed.contains($0.room) }.flatMap { file in
            file.imports.filter { $0.module == rule.module }.map { file.place($0.line) }
        }
        #expect(offenders.isEmpty, "\(rule)")
    }

    @Test func `C modules stay inside their rooms through internal import`() {
        let modules = Set(ImportRule.wrappers.map(\.module))
        let offenders = sources.flatMap { file in
            file.imports.filter { found in
                modules.contains(found.module) && !found.attributes.contains("internal")
                    && !found.attributes.contains("private")
                    && !found.attributes.contains("fileprivate")
            }
            .map { file.place($0.line) }
        }
        #expect(offenders.isEmpty)
    }

    @Test func `every C target has its wrapper named in the rules`() {
        let named = Set(ImportRule.wrappers.map(\.module))
        let folders = Repository.entries(of: "Sources").filter(\.isFolder).map(\.name)
        let cTargets = folders.filter { room in
            Repository.files(below: "Sources/" + room).contains {
                $0.hasSuffix(".modulemap") || $0.hasSuffix(".c") || $0.hasSuffix(".cpp")
            }
        }
        #expect(!cTargets.isEmpty)
        #expect(Set(cTargets).subtracting(named).isEmpty)
    }

    @Test func `Foundation is imported only with a written reason`() {
        let allowed = Set(FoundationUse.allowed.map(\.path))
        let modules: Set = ["Foundation", "FoundationEssentials", "FoundationNetworking"]
        let users = (sources + Repository.tests).flatMap { file in
            file.imports.filter { modules.contains($0.module) }.map { _ in file.path }
        }
        #expect(Set(users).subtracting(allowed).isEmpty)
        #expect(allowed.subtracting(users).isEmpty, "a reason without its file")
        #expect(FoundationUse.allowed.allSatisfy { !$0.reason.isEmpty })
    }

    @Test func `nothing depends on SwiftNIO`() throws {
        // Written in two parts, so that this file does not find itself.
        let names = ["swift-" + "nio", "N" + "IO"]
        let manifest = try #require(Repository.text(of: "Package.swift"))
        let resolved = Repository.text(of: "Package.resolved") ?? ""
        for name in names {
            #expect(!manifest.contains(name) && !resolved.contains(name))
        }
        let importers = sources.filter { file in
            file.imports.contains { $0.module.hasPrefix("NIO") }
        }
        #expect(importers.map(\.path).isEmpty)
    }

    @Test func `tests of a room do not reach into another room's C library`() {
        let modules = Set(ImportRule.wrappers.map(\.module))
        let offenders = Repository.tests.flatMap { file in
            file.imports.filter { modules.contains($0.module) }.map { file.place($0.line) }
        }
        #expect(offenders.isEmpty)
    }
}
