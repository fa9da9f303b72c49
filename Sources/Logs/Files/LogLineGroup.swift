import Primitives
import Storage

/// Lines of the services that are kept for the same time, on their way to their file of today. The
/// store's thread alone uses it.
final class LogLineGroup {
    private static let keptBytes = 16 << 20
    /// Lines of that size are written before more are made: records of a batch share resources, and
    /// their lines do not.
    private static let pieceBytes = 8 << 20

    let age: LogLineName.Age
    private let directory: String
    private var file: LogLineFile?
    private var text = ByteBuffer(capacity: 64 << 10)
    /// Lines that wait for `write`.
    private(set) var records = 0

    init(_ age: LogLineName.Age, directory: String) {
        self.age = age
        self.directory = directory
    }

    func append(_ record: LogRecord) {
        text.append(json: record, id: nil)
        text.append("\n")
        records += 1
    }

    /// Writes what was appended, in one go. After a failure it can be called again.
    func write() throws(StorageError) {
        guard records > 0 else { return }
        do throws(StorageError) {
            let day = LogDay(milliseconds: WallClock.nowMilliseconds())
            let open: LogLineFile
            if let file, file.name.day == day {
                open = file
            } else {
                open = try LogLineFile(directory: directory, LogLineName(day, age))
                file = open
            }
            try open.append(text.span)
        } catch {
            // It may be that the file itself is what fails.
            file = nil
            throw error
        }
        forget()
    }

    /// Of the lines that wait for `write`.
    var byteCount: Int { text.count }
    /// So much waits that it should be written.
    var isDue: Bool { text.count >= LogLineGroup.pieceBytes }

    /// Closes a file that no line goes to any more, or its bytes would stay on the disk once it is
    /// removed.
    func close(before today: LogDay) {
        if let day = file?.name.day, day < today { file = nil }
    }

    /// Gives up what was appended.
    func forget() {
        text.removeAll()
        text.shrink(above: LogLineGroup.keptBytes)
        records = 0
    }
}

/// The groups of a store, and which one a record belongs to.
final class LogLineGroups {
    /// Services whose group is remembered; beyond it they are looked up again.
    private static let knownLimit = 10_000

    private let retention: LogRetention
    private let directory: String
    private let standard: LogLineGroup
    private(set) var all: [LogLineGroup]
    private var known: [[UInt8]: LogLineGroup] = [:]
    private var last: (service: [UInt8], group: LogLineGroup)?

    init(_ retention: LogRetention, directory: String) {
        self.retention = retention
        self.directory = directory
        standard = LogLineGroup(.standard, directory: directory)
        all = [standard]
    }

    /// - Parameter write: is given a group of which enough waits; nothing of it must wait after that.
    func append(_ batch: LogBatch, write: (LogLineGroup) -> Void) {
        var records = batch.records
        while let record = records.next() {
            let group = group(record.service)
            group.append(record)
            if group.isDue { write(group) }
        }
    }

    /// Closes the files of days that are over.
    func closePast() {
        let today = LogDay.today
        for group in all { group.close(before: today) }
    }

    private func group(_ service: UnsafeRawBufferPointer) -> LogLineGroup {
        guard retention.hasRules else { return standard }
        if let last, last.service.elementsEqual(service) { return last.group }
        let key = Array(service)
        let group = known[key] ?? find(String(decoding: service, as: UTF8.self))
        if known.count >= LogLineGroups.knownLimit { known.removeAll(keepingCapacity: true) }
        known[key] = group
        last = (key, group)
        return group
    }

    private func find(_ service: String) -> LogLineGroup {
        let age = retention.age(of: service)
        guard age != retention.standard else { return standard }
        let own = LogLineName.Age.own(age.map { $0.wholeMilliseconds / 1000 })
        if let found = all.first(where: { $0.age == own }) { return found }
        let made = LogLineGroup(own, directory: directory)
        all.append(made)
        return made
    }
}
