import Primitives
import Testing

@Suite struct JSONNamesTests {
    private func plain(_ text: String) -> String? {
        let bytes = Bytes(text)
        defer { withExtendedLifetime(bytes) {} }
        var buffer = ByteBuffer()
        return JSONNames.appendPlain(bytes.span, to: &buffer) ? buffer.text : nil
    }

    @Test(arguments: [
        (#"{"gr\u00f6\u00DFe":1}"#, #"{"größe":1}"#),
        (
            #"{"a":{"\u0062\/c" : [{"\ud83d\ude00":"\u00e9"}]},"d":"\""}"#,
            #"{"a":{"b/c" : [{"😀":"\u00e9"}]},"d":"\""}"#
        ),
        (#"[{"\u00e9":1},{"x\u00e9":2}]"#, #"[{"é":1},{"xé":2}]"#),
        (#"{"\u00e9\"\n\u0022\u005c\u001f\\":1}"#, #"{"é\"\n\u0022\u005c\u001f\\":1}"#),
        (#"{"\ud800":1,"\ud800\u0041":2,"\udc00":3}"#, #"{"\ud800":1,"\ud800A":2,"\udc00":3}"#),
    ])
    func `resolves the escapes of names alone`(text: String, expected: String) {
        #expect(plain(text) == expected)
    }

    @Test(arguments: ["{}", #"{"a":"\u00e9\\"}"#, #"["\u00e9",":"]"#, #""\"""#, "1", ""])
    func `leaves alone what has none`(text: String) {
        #expect(plain(text) == nil)
    }
}
