import Primitives

/// What the catalog tells the world.
extension JournalCatalog {
    var status: JournalStatus {
        var status = JournalStatus()
        status.health = diskHealth == .ok && isAtCap ? .full : diskHealth
        status.segments = segments.count
        status.spareSegments = spares.count
        status.bytesOnDisk = segments.reduce(0) { $0 + $1.fileBytes }
        status.retainedBytes = retainedBytes
        status.nextSequence = committed + 1
        status.firstSequence = segments.first?.header.first ?? committed + 1
        status.committedSequence = committed
        status.released = released
        status.damage = damage
        status.failures = failures
        status.commits = commits
        status.syncMicroseconds = syncMicroseconds
        return status
    }

    /// A moving average: each sync counts a tenth.
    mutating func observe(_ syncTime: Duration) {
        let microseconds = Double(syncTime.wholeNanoseconds) / 1000
        syncMicroseconds += (microseconds - syncMicroseconds) * (syncMicroseconds == 0 ? 1 : 0.1)
    }
}
