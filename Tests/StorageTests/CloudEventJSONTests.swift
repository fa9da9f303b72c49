import Primitives
import TestSupport
import Testing

@testable import Storage

@Suite struct CloudEventJSONTests {
    /// Extensions as a store may have them from before there were rules, and what goes out.
    @Test(arguments: [
        (#"{"region":"eu","n":-5,"b":true}"#, #","region":"eu","n":-5,"b":true"#), ("{}", ""),
        (#"{"userId":5,"ok":1}"#, #","ok":1"#),
        (#"{"nested":{"k":[1,","]},"ok":1}"#, #","nested":"{\"k\":[1,\",\"]}","ok":1"#),
        (#"{"ratio":1.5}"#, #","ratio":"1.5""#), (#"{"big":2147483648}"#, #","big":"2147483648""#),
        (#"{"none":null}"#, #","none":"null""#), (#"{"s":"a\nb"}"#, #","s":"\"a\\nb\"""#),
        (#"{"s":"\u00e9\"\\"}"#, #","s":"\u00e9\"\\""#),
        (#"{"s":"\u0085"}"#, #","s":"\"\\u0085\"""#),
        (#"{"\u0061":1,"data_base64":"AA=="}"#, #","data_base64":"AA==""#),
        (#"{ "a" : "x" , "b" : 2 }"#, #","a":"x","b":2"#),
        (
            #"{"datacontenttype":"text/plain","dataschema":"x:y"}"#,
            #","datacontenttype":"text/plain","dataschema":"x:y""#
        ),
    ])
    func `extensions go out as CloudEvents allows them`(stored: String, sent: String) throws {
        var text = ByteBuffer()
        let extensions = Bytes(stored)
        text.append(extensions: extensions.span)
        withExtendedLifetime(extensions) {}
        #expect(text.text == sent)
        let event = TestEvent(id: "1", extensions: stored)
        let row = HeldRow(event)
        var json = ByteBuffer()
        json.append(cloudEvent: row.row)
        withExtendedLifetime(row) {}
        #expect(json.text.hasSuffix(sent + "}"))
        #expect(throws: Never.self) { try JSONValue.parse(json.text) }
    }
}
