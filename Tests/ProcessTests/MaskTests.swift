import ProcessSupport
import TestSupport
import Testing

/// `millrace mask`, as a program in a pipe.
@Suite(.processes) struct MaskTests {
    private func mask(_ text: String, _ arguments: [String] = []) throws -> String {
        let directory = try TemporaryDirectory()
        try directory.write("in", text)
        let process = try ChildProcess(
            [
                "/bin/sh", "-c", "exec \"$0\" mask \"$@\" < \(directory.file("in"))",
                try MillraceBinary.path(),
            ] + arguments, output: directory.file("out"), errors: directory.file("err"))
        #expect(process.exit(within: .seconds(30) * slowness) == .exited(0))
        return FileSystem.text(directory.file("out"))
    }

    @Test func `lines come out masked, and everything else as it was`() throws {
        let text = """
            GET /cart 200 from 203.0.113.7
            {"user":"ann@example.com","n":1}

            no newline at the end, card 4111 1111 1111 1111
            """
        #expect(
            try mask(text) == """
                GET /cart 200 from 203.0.113.0/24
                {"user":"[EMAIL]","n":1}

                no newline at the end, card [CARD]
                """)
    }

    @Test func `a line may be longer than what is read at once`() throws {
        let filler = String(repeating: "x ", count: 200_000)
        #expect(try mask("\(filler)ann@example.com\n") == "\(filler)[EMAIL]\n")
    }

    @Test func `an explanation says what matched and why, and shows no value`() throws {
        let told = try mask("a\n{\"user\":{\"mail\":\"ann@example.com\"}}\n", ["--explain"])
        #expect(told == "line 2, bytes 17 to 32 at user.mail: email (address grammar), redact\n")
    }
}
