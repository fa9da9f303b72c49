import Telemetry

extension Configuration {
    /// Where the service's own log is sent; nil if nowhere.
    static func otlp(_ values: ResolvedSettings, node: String) -> OTLPOptions? {
        values[\.otlpEndpoint].map { endpoint in
            var options = OTLPOptions(
                endpoint: endpoint, serviceVersion: Version.current, instance: node)
            options.headers = values[\.otlpHeaders]
            return options
        }
    }
}

/// What the settings of the export over OTLP must look like.
extension ValueForm where Value == String? {
    /// Where a collector is; an empty text is nowhere.
    static var otlpEndpoint: ValueForm {
        ValueForm(
            placeholder: "url",
            expectation: "an http:// or https:// URL with a host and without user and password, "
                + "such as http://127.0.0.1:4318",
            parse: { text in
                if text.isEmpty { return .some(nil) }
                return SinkForms.isURL(text) ? .some(text) : nil
            },
            mask: { SinkForms.isURL($0) ? $0 : "********" })
    }
}

extension ValueForm where Value == [(name: String, value: String)] {
    /// Header fields as OpenTelemetry's own variables say them: `name=value,name=value`.
    static var headers: ValueForm {
        ValueForm(
            placeholder: "headers",
            expectation: "a comma list of name=value",
            parse: { text in
                if text.isEmpty { return [] }
                var fields: [(name: String, value: String)] = []
                for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                    guard let equals = part.firstIndex(of: "=") else { return nil }
                    let name = String(part[..<equals].drop { $0 == " " })
                    let value = String(part[part.index(after: equals)...])
                    guard SinkForms.isHeaderName(name),
                        SinkForms.headerValue.parse(value) != nil
                    else { return nil }
                    fields.append((name, value))
                }
                return fields
            })
    }
}
