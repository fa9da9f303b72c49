import Primitives

extension ByteBuffer {
    /// Appends `event` in the JSON event format of CloudEvents 1.0, section 3. `data` and the
    /// extensions are JSON already and go in as they are.
    package mutating func append(cloudEvent event: EventRow) {
        append(#"{"specversion":"1.0","id":"#)
        switch event.identity {
        case .generated(let id):
            append(UInt8(ascii: "\""))
            append(uuid: id)
            append(UInt8(ascii: "\""))
        case .client(let id): append(jsonString: id)
        }
        append(#","type":"#)
        append(jsonString: event.type)
        append(#","source":"#)
        append(jsonString: event.source)
        if let subject = event.subject {
            append(#","subject":"#)
            append(jsonString: subject)
        }
        append(#","time":""#)
        append(timestamp: event.time)
        append(UInt8(ascii: "\""))
        if let data = event.data {
            append(#","data":"#)
            append(data)
        }
        if let members = event.extensions.flatMap(JSONScan.members(of:)) {
            append(UInt8(ascii: ","))
            append(members)
        }
        append(UInt8(ascii: "}"))
    }

    /// Appends `event` in the same form.
    package mutating func append(cloudEvent event: StoredEvent) {
        event.withRow { append(cloudEvent: $0) }
    }
}

extension StoredEvent {
    /// Calls `body` with the event as bytes, which are valid during the call.
    fileprivate func withRow(_ body: (EventRow) -> Void) {
        var memory = ByteBuffer(capacity: 256 + (data?.count ?? 0) + (extensions?.count ?? 0))
        var ends: [Int] = []
        for text in [id, type, source, subject ?? ""] {
            memory.append(text)
            ends.append(memory.count)
        }
        for json in [data, extensions] {
            memory.append(contentsOf: json ?? [])
            ends.append(memory.count)
        }
        let slice = { (index: Int) in
            UnsafeRawBufferPointer(
                rebasing: memory.span[(index > 0 ? ends[index - 1] : 0)..<ends[index]])
        }
        body(
            EventRow(
                identity: .client(slice(0)), time: time, type: slice(1), source: slice(2),
                subject: subject.map { _ in slice(3) }, data: data.map { _ in slice(4) },
                extensions: extensions.map { _ in slice(5) }))
    }
}
