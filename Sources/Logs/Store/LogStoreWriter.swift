internal import Glibc
import Primitives
import Storage
import Telemetry

/// What the store's thread does: writes batches into the files of their days, and drops days.
///
/// A record belongs to the day of its own time, wherever it comes from and however late. Records of
/// a day that was dropped are refused and counted.
final class LogStoreWriter {
    /// Files that stay open to be written to; logs come in for two days around midnight.
    private static let openFileLimit = 4
    /// Files that may hold the last record that came: those that were open, and some to spare.
    private static let recentFileCount = 16

    /// Where a record of the turn is, and where it goes.
    private struct Entry {
        var time: Int64
        var arrival: Int64
        var batch: Int32
        var offset: Int32
    }

    let catalog: LogCatalog
    private let options: LogStoreOptions
    private let retention: LogRetention
    private let counters: LogStoreCounters
    private let log: Logger
    private var files: [LogDay: LogDayWriter] = [:]
    private var uses: UInt64 = 0
    /// The number that the last record got; they count records in the order in which they came.
    private(set) var arrival: Int64
    private var entries: [Entry] = []
    /// Entries of the turn that are committed.
    private var written = 0
    /// The rows that the turn's records got, in the order in which they came; -1 for a record that
    /// was refused.
    private(set) var rows: [Int64] = []
    /// The arrival number of the turn's first record.
    private var first: Int64 = 0
    /// No file is made for an earlier day in this turn.
    private var firstNewDay: LogDay?
    /// Of batches that were written since sizes were looked at.
    private var bytesWritten: Int64 = 0

    init(
        _ catalog: LogCatalog, _ options: LogStoreOptions, _ counters: LogStoreCounters,
        log: Logger
    ) throws(StorageError) {
        self.catalog = catalog
        self.options = options
        retention = LogRetention(options.retention)
        self.counters = counters
        self.log = log
        arrival = 0
        // Opening a file moves the write-ahead log that a crash left into it.
        for file in catalog.recentFiles(LogStoreWriter.recentFileCount) {
            do throws(StorageError) {
                let writer = try LogDayWriter(path: catalog.path(file))
                arrival = max(arrival, try writer.lastArrival())
                try writer.finish()
            } catch {
                try setAside(file, error)
            }
        }
    }

    /// Numbers the records of `batches`, which are to be written next.
    /// - Returns: the arrival number of the first.
    func begin(_ batches: [LogBatch]) -> Int64 {
        first = arrival + 1
        arrange(batches, first)
        firstNewDay = boundOfNewDays()
        written = 0
        rows.removeAll(keepingCapacity: true)
        rows.append(contentsOf: repeatElement(-1, count: entries.count))
        arrival = first + Int64(entries.count) - 1
        return first
    }

    /// Writes the records that `begin` numbered, each day's in one transaction. Called again after a
    /// failure, it goes on with the day that failed.
    func write(_ batches: [LogBatch]) throws(StorageError) {
        while written < entries.count {
            let day = LogDay(milliseconds: entries[written].time / 1_000_000)
            // The last day that nanoseconds can say is not a whole one.
            let end = min(day.end, Int64.max / 1_000_000) * 1_000_000
            var stop = written + 1
            while stop < entries.count, entries[stop].time < end { stop += 1 }
            try write(batches, written..<stop, day)
            written = stop
        }
    }

    /// Puts the records in the order of time; those of one time stay as they came.
    private func arrange(_ batches: [LogBatch], _ first: Int64) {
        entries.removeAll(keepingCapacity: true)
        var next = first
        var last = Int64.min
        var isSorted = true
        for (index, batch) in batches.enumerated() {
            var records = batch.records
            while true {
                let offset = records.offset
                guard let record = records.next() else { break }
                // Times before 1970 are in the first day.
                let time = max(0, record.time)
                isSorted = isSorted && time >= last
                last = time
                entries.append(
                    Entry(
                        time: time, arrival: next, batch: Int32(index), offset: Int32(offset)))
                next += 1
            }
        }
        bytesWritten += Int64(batches.reduce(0) { $0 + $1.byteCount })
        guard !isSorted else { return }
        entries.sort { $0.time != $1.time ? $0.time < $1.time : $0.arrival < $1.arrival }
    }

    /// The earliest day for which this turn may make a file, of the newest that it has records of:
    /// records of distinct days are made fast, and each would cost a file. Nil if there are few.
    private func boundOfNewDays() -> LogDay? {
        let today = LogDay.today
        guard let oldest = entries.first?.time, LogDay(milliseconds: oldest / 1_000_000) < today
        else { return nil }
        var left = options.newDaysAtOnce
        var (last, bound): (LogDay?, LogDay?)
        for entry in entries.reversed() {
            let day = LogDay(milliseconds: entry.time / 1_000_000)
            guard day != last else { continue }
            last = day
            if day >= today || catalog.has(day) { continue }
            if isExpired(day) { return nil }
            guard left > 0 else { return bound }
            left -= 1
            bound = day
        }
        return nil
    }

    /// A file may be made for `day`, or is there.
    private func mayHold(_ day: LogDay) -> Bool {
        if day >= LogDay.today || catalog.has(day) { return true }
        return catalog.dayCount < options.dayLimit && firstNewDay.map { day >= $0 } ?? true
    }

    private func write(
        _ batches: [LogBatch], _ range: Range<Int>, _ day: LogDay
    ) throws(StorageError) {
        let wanted = wanted(batches, range, day)
        guard !wanted.isEmpty, let file = try writer(for: day) else {
            return counters.tooOld.add(range.count)
        }
        let highest = entries[range].reduce(0) { max($0, $1.arrival) }
        try file.write(arrival: highest) { () throws(StorageError) in
            for entry in wanted {
                let record = record(entry, batches)
                rows[Int(entry.arrival - first)] = try file.append(
                    record, millisecond: entry.time / 1_000_000 - day.start,
                    arrival: entry.arrival)
            }
        }
        counters.stored.add(wanted.count)
        counters.tooOld.add(range.count - wanted.count)
        try file.checkpointIfDue()
    }

    private func record(_ entry: Entry, _ batches: [LogBatch]) -> LogRecord {
        batches[Int(entry.batch)].records.record(at: Int(entry.offset))
    }

    /// The records of the day whose services' logs are still kept: all, but on days of the past.
    private func wanted(
        _ batches: [LogBatch], _ range: Range<Int>, _ day: LogDay
    ) -> ArraySlice<Entry> {
        let now = WallClock.nowMilliseconds()
        guard retention.isOverForSome(day, now: now) else { return entries[range] }
        return entries[range].filter { entry in
            let service = String(decoding: record(entry, batches).service, as: UTF8.self)
            return !retention.isOver(day, service: service, now: now)
        }[...]
    }

    /// Nil for a day whose records are not kept.
    private func writer(for day: LogDay) throws(StorageError) -> LogDayWriter? {
        uses += 1
        if let open = files[day] {
            open.lastUse = uses
            return open
        }
        guard !isExpired(day), mayHold(day), let file = catalog.fileForWriting(day) else {
            return nil
        }
        if files.count >= LogStoreWriter.openFileLimit,
            let oldest = files.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            try close(oldest.key)
        }
        let opened: LogDayWriter
        do throws(StorageError) { opened = try LogDayWriter(path: catalog.path(file)) } catch {
            try setAside(file, error)
            return try writer(for: day)
        }
        opened.lastUse = uses
        files[day] = opened
        catalog.add(file)
        return opened
    }

    /// Renames a file that cannot be used, unless that was done before; its day begins anew.
    /// - Throws: `error` if it is about something else.
    func setAside(_ file: LogCatalog.File, _ error: StorageError) throws(StorageError) {
        guard error.code == .corrupt || error.code == .foreignFile || error.code == .newerSchema
        else { throw error }
        guard catalog.fileForWriting(file.day) == file else { return }
        files[file.day] = nil
        let moved = try catalog.setAside(file, time: WallClock.nowMilliseconds())
        counters.damaged.add()
        log.error("a damaged file of logs was set aside") {
            $0.add("error", error)
            $0.add("file", moved)
        }
    }

    /// After a failed write: a file that is damaged makes room for a new one.
    func recover(from error: StorageError) {
        guard error.code == .corrupt || error.code == .syncFailed else { return }
        let open = files
        // `fsync` is not asked twice: what is opened again is read from the disk.
        files = [:]
        for (day, writer) in open where error.message.hasPrefix(writer.path) {
            guard let file = catalog.fileForWriting(day) else { continue }
            do throws(StorageError) { try setAside(file, error) } catch {
                log.warning("a file of logs stays where it is") { $0.add("error", error) }
            }
        }
    }

    func close(_ day: LogDay) throws(StorageError) {
        guard let file = files.removeValue(forKey: day) else { return }
        try file.finish()
    }

    /// Moves everything into the files, which are closed.
    func closeAll() {
        for day in Array(files.keys) {
            do throws(StorageError) { try close(day) } catch {
                log.warning("a file of logs keeps its write-ahead log") { $0.add("error", error) }
            }
        }
    }

    // MARK: Retention

    private func isExpired(_ day: LogDay) -> Bool {
        retention.isOver(day, now: WallClock.nowMilliseconds())
    }

    /// Puts a copy without some services' records in the place of the day's file, with what has come
    /// since it was made.
    /// - Parameters:
    ///   - lease: on the file that was copied.
    ///   - arrival: the highest number in that file when it was copied.
    /// - Returns: how many records the day has less; nil if its file is another one by now.
    func adopt(
        _ copy: LogDayCopy, _ lease: LogCatalog.Lease, upTo arrival: Int64
    ) throws(StorageError) -> Int64? {
        guard catalog.fileForWriting(copy.day) == lease.file else { return nil }
        try close(copy.day)
        let old = try LogDaySurvey(path: lease.path)
        if old.arrival > arrival { _ = try copy.run(after: arrival) }
        let records = try LogDaySurvey(path: copy.new).records
        if records == 0 {
            copy.discard()
            try catalog.drop(copy.day, raisesFloor: false, leases: 1)
        } else {
            try catalog.replace(lease, with: copy.new)
        }
        return old.records - records
    }

    /// The files may have grown beyond what they may take: a batch is at most twice as large in its
    /// file, index and write-ahead log included.
    var isSizeDue: Bool { counters.bytes.value + 2 * bytesWritten > options.maxBytes }

    /// Drops the oldest days while one is too old, or all together are too large.
    ///
    /// A day that is not over stays. What it holds came by the clocks of senders, one of which may
    /// run ahead: a floor at today or later would refuse whatever comes until then.
    func retain() throws(StorageError) {
        bytesWritten = 0
        let today = LogDay.today
        defer {
            counters.presentBytes.set(
                catalog.heldDays.prefix { $0 >= today }.reduce(0) { $0 + catalog.bytes(of: $1) })
            counters.setAside.set(Int64(catalog.setAside().count))
        }
        var days = catalog.heldDays
        var bytes = days.reduce(0) { $0 + catalog.bytes(of: $1) }
        counters.bytes.set(bytes)
        counters.days.set(Int64(days.count))
        while let oldest = days.last, oldest < today {
            guard
                isExpired(oldest) || days.count > options.dayLimit
                    || bytes > options.maxBytes
            else { return }
            let size = catalog.bytes(of: oldest)
            files[oldest] = nil
            try catalog.drop(oldest, raisesFloor: true)
            catalog.remove(catalog.setAside { $0 == oldest })
            counters.dropped.add()
            log.notice("a day of logs was dropped") {
                $0.add("day", oldest.text)
                $0.add("bytes", size)
            }
            days.removeLast()
            bytes -= size
            counters.bytes.set(bytes)
            counters.days.set(Int64(days.count))
        }
    }
}
