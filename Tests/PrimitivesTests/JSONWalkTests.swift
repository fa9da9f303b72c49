import Primitives
import Testing

@Suite struct JSONWalkTests {
    private func members(_ text: String) throws(JSONError) -> [String] {
        let bytes = Bytes(text)
        return try withExtendedLifetime(bytes) { () throws(JSONError) in
            var walk = JSONMemberWalk(bytes.span)
            var found: [String] = []
            while let (name, value) = try walk.next() {
                found.append(
                    String(decoding: name, as: UTF8.self) + "="
                        + String(decoding: value, as: UTF8.self))
            }
            found.append("\(walk.end)")
            return found
        }
    }

    private func elements(_ text: String) throws(JSONError) -> [String] {
        let bytes = Bytes(text)
        return try withExtendedLifetime(bytes) { () throws(JSONError) in
            var walk = JSONElementWalk(bytes.span)
            var found: [String] = []
            while let value = try walk.next() {
                found.append(String(decoding: value, as: UTF8.self))
            }
            return found
        }
    }

    @Test func `members and elements come as they were written`() throws {
        #expect(try members("{}") == ["2"])
        #expect(
            try members(#"{ "a" : [1,{"b":"}"}] ,"\u0062":"x\"," , "c":-1.5e3} rest"#)
                == [#""a"=[1,{"b":"}"}]"#, #""\u0062"="x\",""#, #""c"=-1.5e3"#, "52"])
        #expect(try elements("[]") == [])
        #expect(try elements(#"[ {"a":[]} , "]" ,null]"#) == [#"{"a":[]}"#, #""]""#, "null"])
    }

    @Test(arguments: [
        "", "{", "[", "{,}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{"a":1 "b":2}"#, "{1:2}",
        #"{"a":1"#, #"{"a":[1}"#, "x",
    ])
    func `what is no object does not look like one`(text: String) {
        #expect(throws: JSONError.invalid) { try members(text) }
    }

    @Test(arguments: ["", "[", "[,]", "[1,]", "[1 2]", "[1", "{}"])
    func `what is no array does not look like one`(text: String) {
        #expect(throws: JSONError.invalid) { try elements(text) }
    }
}
