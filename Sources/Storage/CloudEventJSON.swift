import Primitives

extension ByteBuffer {
    /// Appends `event` in the JSON event format of CloudEvents 1.0, section 3. `data` and the
    /// extensions are JSON already; data goes in as it is.
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
        // A URI reference has no character that JSON would escape.
        append(#","source":""#)
        URIReference.append(event.source, to: &self)
        append(UInt8(ascii: "\""))
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
        if let extensions = event.extensions { append(extensions: extensions) }
        append(UInt8(ascii: "}"))
    }

    /// Appends `event` in the same form.
    package mutating func append(cloudEvent event: StoredEvent) {
        event.withRow { append(cloudEvent: $0) }
    }
}
