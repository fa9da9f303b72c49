import Primitives
import Storage

extension ByteBuffer {
    /// Appends `event` in the JSON event format of CloudEvents 1.0, section 3, as `StoredEvent`
    /// does, but straight from its borrowed bytes. `data` and the extensions are JSON already and
    /// go in as they are.
    mutating func append(cloudEvent event: EventRow) {
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
        if let extensions = event.extensions { append(membersOf: extensions) }
        append(UInt8(ascii: "}"))
    }

    /// Appends a comma and what stands between the braces of `object`; nothing if it is empty.
    private mutating func append(membersOf object: UnsafeRawBufferPointer) {
        let inner = JSONScan.trim(object, 0..<object.count)
        guard inner.count > 2 else { return }
        let members = JSONScan.trim(inner, 1..<inner.count - 1)
        guard !members.isEmpty else { return }
        append(UInt8(ascii: ","))
        append(members)
    }
}
