import Primitives

/// A CloudEvent in binary mode, on its way to structured mode: so that one set of rules decides
/// over both, and a refused one can be kept and tried again as one text.
struct BinaryEvent {
    /// Values as they came.
    let attributes: [(name: String, value: [UInt8])]
    let contentType: [UInt8]?
    let data: UnsafeRawBufferPointer

    /// - Parameter body: what the request has; it may begin with a byte order mark.
    init(
        attributes: [(name: String, value: [UInt8])], contentType: [UInt8]?,
        body: UnsafeRawBufferPointer
    ) {
        self.attributes = attributes
        self.contentType = contentType
        // Other bytes than text have no such mark.
        let isText = MediaKind(BinaryEvent.text(contentType)) != .other
        data = isText ? JSONScan.withoutByteOrderMark(body) : body
    }

    /// Appends the event as JSON (JSON event format 1.0).
    /// - Parameter reader: says whether the data is JSON, where it is to be. Without that check
    ///   it could end its member and go on with another.
    func append(
        to text: inout ByteBuffer, _ reader: borrowing EventReader
    ) throws(EventFault) {
        text.append("{")
        var names: Set<String> = []
        for (name, value) in attributes {
            let name = name.lowercased()
            guard names.insert(name).inserted else { throw .duplicateHeader }
            try append(name, value, to: &text)
        }
        if let contentType {
            guard let type = BinaryEvent.text(contentType) else { throw .invalidUTF8 }
            append(member: "datacontenttype", type, to: &text)
        }
        try appendData(to: &text, reader)
        close(&text)
    }

    /// Appends an event that `append` refuses so that nothing of it is lost: as JSON in which what
    /// has no place in a CloudEvent keeps its header's name, which no CloudEvent may have.
    func appendRefused(to text: inout ByteBuffer, _ reader: borrowing EventReader) {
        text.append("{")
        for (name, value) in attributes {
            do throws(EventFault) { try append(name.lowercased(), value, to: &text) } catch {
                append(member: "ce-\(name)", String(decoding: value, as: UTF8.self), to: &text)
            }
        }
        if let contentType {
            let type = String(decoding: contentType, as: UTF8.self)
            append(member: "datacontenttype", type, to: &text)
        }
        do throws(EventFault) { try appendData(to: &text, reader) } catch {
            text.append("\"ce-data\":\"")
            text.append(base64: data)
            text.append("\",")
        }
        close(&text)
    }

    /// Nil for nil, and for bytes that are no UTF-8.
    private static func text(_ bytes: [UInt8]?) -> String? {
        bytes.flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// Ends the object. Each member before ends in a comma; without any there is the brace alone.
    private func close(_ text: inout ByteBuffer) {
        if text.count > 1 { text.truncate(to: text.count - 1) }
        text.append("}")
    }

    private func append(
        _ name: String, _ value: [UInt8], to text: inout ByteBuffer
    ) throws(EventFault) {
        var name = name
        let (isAllowed, isName) = name.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            let attribute = EventAttribute(bytes)
            // These two are the body and its content type here.
            return (
                attribute != .data && attribute != .contentType, EventAttribute.isValidName(bytes)
            )
        }
        guard isAllowed else { throw .invalidAttribute }
        guard isName else { throw .invalidExtension }
        guard let value = HeaderValue.decode(value) else { throw .invalidUTF8 }
        append(member: name, value, to: &text)
    }

    private func append(member name: String, _ value: String, to text: inout ByteBuffer) {
        text.append(jsonString: name)
        text.append(":")
        text.append(jsonString: value)
        text.append(",")
    }

    private func appendData(
        to text: inout ByteBuffer, _ reader: borrowing EventReader
    ) throws(EventFault) {
        if data.isEmpty { return }
        switch MediaKind(BinaryEvent.text(contentType)) {
        case .json:
            do throws(EventFault) {
                try reader.checkJSON(data, allowsLoneSurrogates: true)
            } catch {
                throw error.isNotJSON ? .invalidData : error
            }
            text.append("\"data\":")
            text.append(data)
        case .text where JSONSyntax.utf8ErrorOffset(in: data) == nil:
            text.append("\"data\":")
            text.append(jsonString: data)
        case .text, .other:
            text.append("\"data_base64\":\"")
            text.append(base64: data)
            text.append("\"")
        }
        text.append(",")
    }
}

/// What the bytes of a content type are, as far as JSON can carry them.
private enum MediaKind {
    case json, text, other

    /// - Parameter contentType: nil counts as JSON, as it does in the JSON event format.
    init(_ contentType: String?) {
        guard let contentType else {
            self = .json
            return
        }
        let media = (contentType.split(separator: ";").first ?? "").lowercased().filter {
            $0 != " " && $0 != "\t"
        }
        switch media {
        case "application/json", "text/json": self = .json
        case _ where media.hasSuffix("+json"): self = .json
        case "application/xml": self = .text
        case _ where media.hasPrefix("text/") || media.hasSuffix("+xml"): self = .text
        default: self = .other
        }
    }
}

/// Values of `ce-` headers (HTTP protocol binding 1.0, section 3.1.3.2).
enum HeaderValue {
    /// Takes off quotes, then percent-encoding. Nil if what is left is not UTF-8.
    static func decode(_ value: [UInt8]) -> String? {
        let bytes = unquote(value)
        var decoded: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let high = hexValue(bytes[index + 1]), let low = hexValue(bytes[index + 2])
            {
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(bytes[index])
                index += 1
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }

    private static func unquote(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= 2, bytes.first == UInt8(ascii: "\""),
            bytes.last == UInt8(ascii: "\"")
        else { return bytes }
        var plain: [UInt8] = []
        var isEscaped = false
        for byte in bytes[1..<bytes.count - 1] {
            isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
            if !isEscaped { plain.append(byte) }
        }
        return plain
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init)
    }
}
