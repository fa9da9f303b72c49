/// Where this service's own telemetry goes, and in whose name.
package struct OTLPOptions: Sendable {
    /// http or https, without the signal's path: `http://collector:4318`.
    package var endpoint: String
    /// Sent with each request, and never shown.
    package var headers: [(name: String, value: String)] = []
    /// For one attempt, connection and reply included.
    package var timeout = Duration.seconds(10)
    package var serviceName = "millrace"
    package var serviceVersion: String
    /// The node's name: `service.instance.id`.
    package var instance: String

    package init(endpoint: String, serviceVersion: String, instance: String) {
        self.endpoint = endpoint
        self.serviceVersion = serviceVersion
        self.instance = instance
    }

    /// The URL of a signal: `v1/logs` below the endpoint, whether that ends in a slash or not.
    func url(_ path: StaticString) -> String {
        endpoint.hasSuffix("/") ? "\(endpoint)\(path)" : "\(endpoint)/\(path)"
    }
}
