import HTTPClient
import Primitives
import TestSupport
import Testing

/// Against `openssl s_server`, which Debian's ca-certificates brings along.
@Suite(.blocking) struct TLSTests {
    private func code(_ url: String, _ client: HTTPClient) -> HTTPClientError.Code? {
        do throws(HTTPClientError) {
            _ = try client.post(url, body: Bytes("[]"), deadline: .after(.seconds(10)))
            return nil
        } catch { return error.code }
    }

    @Test func `a server without TLS is not taken for one with it`() throws {
        let server = try RawServer { connection in
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            connection.hang()
        }
        #expect(code("https://127.0.0.1:\(server.port)/", HTTPClient()) == .tls)
    }

    @Test func `a certificate counts only if it is trusted and names the host`() throws {
        let server = try TLSServer()
        var options = HTTPClientOptions()
        #expect(code("https://localhost:\(server.port)/", HTTPClient(options)) == .tls)
        options.certificateFile = server.certificatePath
        let client = HTTPClient(options)
        // What comes back through the encryption is the request's own lines, reversed.
        let trusted = code("https://localhost:\(server.port)/", client)
        #expect(trusted == .protocolViolation)
        #expect(code("https://127.0.0.1:\(server.port)/", client) == .tls)
    }
}

/// A TLS server that sends each line back reversed, with a certificate that it signed itself, for `localhost`.
private final class TLSServer {
    let port: UInt16
    private let directory: TemporaryDirectory
    private let process: ChildProcess

    var certificatePath: String { directory.file("certificate.pem") }

    init() throws {
        directory = try TemporaryDirectory()
        let free = try RawServer { _ in }
        port = free.port
        free.close()
        let make = try TLSServer.start(
            directory,
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                directory.file("key.pem"), "-out", directory.file("certificate.pem"),
            ])
        try #require(
            make.exit(within: .seconds(60)) == .exited(0), "openssl could not make a certificate")
        process = try TLSServer.start(
            directory,
            [
                "openssl", "s_server", "-accept", "\(port)", "-cert",
                directory.file("certificate.pem"), "-key", directory.file("key.pem"), "-rev",
                "-quiet",
            ])
        let client = HTTPClient()
        let url = "http://127.0.0.1:\(port)/"
        // Anything but a refused connection means that it listens.
        try #require(
            eventually {
                do throws(HTTPClientError) {
                    _ = try client.post(url, body: Bytes(""), deadline: .after(.seconds(2)))
                    return true
                } catch { return error.code != .connect }
            })
    }

    // Before its folder goes.
    deinit { process.kill() }

    private static func start(
        _ directory: TemporaryDirectory, _ command: [String]
    ) throws -> ChildProcess {
        let output = directory.file("output")
        return try ChildProcess(command, output: output, errors: output)
    }
}
