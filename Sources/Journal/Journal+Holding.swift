extension JournalCatalog {
    /// The last sequence of the newest segment that has to go so that what the rest hold is at most
    /// `bytes`; nil if they hold no more than that.
    func releasePoint(keepingBytes bytes: Int) -> UInt64? {
        var kept = 0
        for index in segments.indices.reversed() {
            kept += segments[index].fileBytes
            if kept > bytes, index + 1 < segments.count { return end(index) - 1 }
        }
        return nil
    }
}

extension Journal {
    /// Up to where a consumer must have released so that no more than `bytes` of segments are held;
    /// nil if no more are. Any thread.
    package func releasePoint(keepingBytes bytes: Int) -> UInt64? {
        catalog.withLock { $0.releasePoint(keepingBytes: bytes) }
    }
}
