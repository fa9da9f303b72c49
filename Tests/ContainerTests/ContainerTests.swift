import Container
import Glibc
import Testing

private struct Disk { let name: String }
private final class Journal {
    let disk: Disk
    init(disk: Disk) { self.disk = disk }
}
private final class Writer {
    let journal: Journal
    init(journal: Journal) { self.journal = journal }
}
private final class Left {}
private final class Right {}

/// What happened, in order. `mutex` guards `entries`.
private final class Diary: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var entries: [String] = []

    init() { pthread_mutex_init(mutex, nil) }
    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func note(_ entry: String) {
        pthread_mutex_lock(mutex)
        entries.append(entry)
        pthread_mutex_unlock(mutex)
    }

    var all: [String] {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return entries
    }
}

private struct Broken: Error, CustomStringConvertible { var description: String { "broken" } }

@Suite struct ContainerTests {
    @Test func `makes a component once, and only when it is asked for`() throws {
        let container = Container()
        let diary = Diary()
        container.register(Journal.self) { _ in
            diary.note("made")
            return Journal(disk: Disk(name: "a"))
        }
        #expect(diary.all.isEmpty)
        let first: Journal = try container.resolve()
        let second = try container.resolve(Journal.self)
        #expect(first === second)
        #expect(diary.all == ["made"])
    }

    @Test func `gives a factory what it asks for`() throws {
        let container = Container()
        container.register(Writer.self) { Writer(journal: try $0.resolve()) }
        container.register(Journal.self) { Journal(disk: try $0.resolve()) }
        container.register(Disk.self) { _ in Disk(name: "sda") }
        #expect(try container.resolve(Writer.self).journal.disk.name == "sda")
    }

    @Test func `tells components of one type apart by name`() throws {
        let container = Container()
        container.register(Disk.self) { _ in Disk(name: "plain") }
        container.register(Disk.self, name: "fast") { _ in Disk(name: "fast") }
        #expect(try container.resolve(Disk.self).name == "plain")
        #expect(try container.resolve(Disk.self, name: "fast").name == "fast")
    }

    @Test func `keeps a component under the type it was registered for`() throws {
        let container = Container()
        container.register((any CustomStringConvertible).self) { _ in 42 }
        #expect(try container.resolve((any CustomStringConvertible).self).description == "42")
        #expect(throws: ContainerError.self) { try container.resolve(Int.self) }
    }

    @Test func `names the path to what is not registered`() throws {
        let container = Container()
        container.register(Writer.self) { Writer(journal: try $0.resolve()) }
        container.register(Journal.self) { Journal(disk: try $0.resolve(name: "fast")) }
        let error = #expect(throws: ContainerError.self) { try container.resolve(Writer.self) }
        #expect(error?.code == .missing)
        #expect(error?.description == "not registered: Writer → Journal → Disk(fast)")
    }

    @Test func `names the path of a cycle`() throws {
        let container = Container()
        container.register(Left.self) {
            _ = try $0.resolve(Right.self)
            return Left()
        }
        container.register(Right.self) {
            _ = try $0.resolve(Left.self)
            return Right()
        }
        let error = #expect(throws: ContainerError.self) { try container.resolve(Left.self) }
        #expect(error?.code == .cycle)
        #expect(error?.description == "cycle: Left → Right → Left")
    }

    @Test func `names the path to a factory that fails, and tries it again when asked again`()
        throws
    {
        let container = Container()
        let diary = Diary()
        container.register(Writer.self) { Writer(journal: try $0.resolve()) }
        container.register(Journal.self) { _ in
            diary.note("tried")
            if diary.all.count == 1 { throw Broken() }
            return Journal(disk: Disk(name: "a"))
        }
        let error = #expect(throws: ContainerError.self) { try container.resolve(Writer.self) }
        #expect(error?.code == .factory)
        #expect(error?.cause is Broken)
        #expect(error?.description == "could not make: Writer → Journal: broken")
        #expect(try container.resolve(Writer.self).journal.disk.name == "a")
    }

    @Test func `an override takes the place of what was registered, for dependents too`() throws {
        let container = Container()
        let diary = Diary()
        container.register(Writer.self) { Writer(journal: try $0.resolve()) }
        container.register(Journal.self, start: { _ in diary.note("real journal starts") }) { _ in
            Journal(disk: Disk(name: "real"))
        }
        container.override(Journal.self) { _ in Journal(disk: Disk(name: "test")) }
        try container.start()
        #expect(try container.resolve(Writer.self).journal.disk.name == "test")
        #expect(diary.all.isEmpty)
    }

    @Test func `every thread gets the same instance`() throws {
        let container = Container()
        let diary = Diary()
        container.register(Journal.self) { _ in
            diary.note("made")
            usleep(2_000)
            return Journal(disk: Disk(name: "a"))
        }
        let seen = Diary()
        let threads = (0..<8).map { _ in
            thread {
                guard let journal = try? container.resolve(Journal.self) else { return }
                seen.note("\(ObjectIdentifier(journal))")
            }
        }
        for thread in threads { pthread_join(thread, nil) }
        #expect(diary.all == ["made"])
        #expect(seen.all.count == 8)
        #expect(Set(seen.all).count == 1)
    }

    private func thread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
        final class Box: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body))
        pthread_create(
            &thread, nil,
            { raw in
                if let raw { Unmanaged<Box>.fromOpaque(raw).takeRetainedValue().body() }
                return nil
            }, box.toOpaque())
        return thread
    }
}

@Suite struct ContainerLifecycleTests {
    private let diary = Diary()
    private let container = Container()

    /// Registers the writer first, so that only its dependency can put the journal before it.
    private func wire(
        writerStart: (() throws -> Void)? = nil, journalStop: (() throws -> Void)? = nil,
        writerStop: (() throws -> Void)? = nil
    ) {
        let diary = diary
        container.register(
            Writer.self,
            start: { _ in
                diary.note("start writer")
                try writerStart?()
            },
            stop: { _ in
                diary.note("stop writer")
                try writerStop?()
            },
            factory: { Writer(journal: try $0.resolve()) })
        container.register(
            Journal.self,
            start: { _ in diary.note("start journal") },
            stop: { _ in
                diary.note("stop journal")
                try journalStop?()
            },
            factory: { Journal(disk: try $0.resolve()) })
        container.register(Disk.self) { _ in
            diary.note("make disk")
            return Disk(name: "a")
        }
    }

    @Test func `starts dependencies first and stops in reverse`() throws {
        wire()
        try container.start()
        #expect(diary.all == ["make disk", "start journal", "start writer"])
        #expect(container.stop().isEmpty)
        #expect(diary.all.suffix(2) == ["stop writer", "stop journal"])
    }

    @Test func `stops each component once however often it is told to`() throws {
        wire()
        try container.start()
        _ = container.stop()
        #expect(container.stop().isEmpty)
        #expect(diary.all.filter { $0.hasPrefix("stop") }.count == 2)
    }

    @Test func `stops the others when one fails to stop, and says which failed`() throws {
        wire(writerStop: { throw Broken() })
        try container.start()
        let failures = container.stop()
        #expect(failures.map(\.description) == ["could not stop: Writer: broken"])
        #expect(diary.all.last == "stop journal")
    }

    @Test func `a failed start stops what already runs, and nothing else`() throws {
        wire(writerStart: { throw Broken() })
        let error = #expect(throws: ContainerError.self) { try container.start() }
        #expect(error?.code == .start)
        #expect(error?.description == "could not start: Writer: broken")
        #expect(diary.all == ["make disk", "start journal", "start writer", "stop journal"])
    }

    @Test func `nothing starts when something is not registered`() throws {
        let diary = diary
        container.register(Journal.self, start: { _ in diary.note("start") }) {
            Journal(disk: try $0.resolve())
        }
        let error = #expect(throws: ContainerError.self) { try container.start() }
        #expect(error?.description == "not registered: Journal → Disk")
        #expect(diary.all.isEmpty)
    }

    @Test func `what was made and has nothing to start is stopped when another cannot be made`()
        throws
    {
        let diary = diary
        container.register(Journal.self, stop: { _ in diary.note("stop journal") }) { _ in
            Journal(disk: Disk(name: "a"))
        }
        container.register(
            Writer.self, start: { _ in diary.note("start") }, stop: { _ in diary.note("stop") }
        ) { parts in
            _ = try parts.resolve(Journal.self)
            throw Broken()
        }
        let error = #expect(throws: ContainerError.self) { try container.start() }
        #expect(error?.description == "could not make: Writer: broken")
        #expect(diary.all == ["stop journal"])
    }

    @Test func `stops what has no start after those that need it`() throws {
        let diary = diary
        container.register(Journal.self, stop: { _ in diary.note("stop journal") }) { _ in
            Journal(disk: Disk(name: "a"))
        }
        container.register(
            Writer.self, start: { _ in diary.note("start writer") },
            stop: { _ in diary.note("stop writer") }
        ) { Writer(journal: try $0.resolve()) }
        try container.start()
        #expect(container.stop().isEmpty)
        #expect(diary.all == ["start writer", "stop writer", "stop journal"])
    }

    @Test func `leaves alone what has nothing to start and nobody needs`() throws {
        let diary = diary
        container.register(Disk.self) { _ in
            diary.note("make disk")
            return Disk(name: "a")
        }
        try container.start()
        #expect(diary.all.isEmpty)
        #expect(try container.resolve(Disk.self).name == "a")
    }

    @Test func `a component may ask the container from another thread while it starts`() throws {
        let container = container
        container.register(Disk.self) { _ in Disk(name: "a") }
        container.register(
            Left.self,
            start: { _ in
                var thread = pthread_t()
                pthread_create(
                    &thread, nil,
                    { raw in
                        guard let raw else { return nil }
                        _ = try? Unmanaged<Container>.fromOpaque(raw).takeUnretainedValue()
                            .resolve(Disk.self)
                        return nil
                    }, Unmanaged.passUnretained(container).toOpaque())
                pthread_join(thread, nil)
            },
            factory: { _ in Left() })
        try container.start()
    }

    @Test func `registering twice is a mistake that ends the process`() async {
        await #expect(processExitsWith: .failure) {
            let container = Container()
            container.register(Disk.self) { _ in Disk(name: "a") }
            container.register(Disk.self) { _ in Disk(name: "b") }
        }
    }
}
