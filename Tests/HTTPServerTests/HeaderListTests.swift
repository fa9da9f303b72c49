import Testing

@testable import HTTPServer

@Suite struct HeaderListTests {
    @Test func `finds the first field of a name in any case`() {
        var list = HeaderList()
        list.append(name: "Content-Type", value: "a")
        list.append(name: "X-Empty", value: "")
        list.append(name: "content-TYPE", value: "b")
        #expect(list.text("content-type") == "a")
        #expect(list.text("CONTENT-TYPE") == "a")
        #expect(list.text("x-empty") == "")
        #expect(list.text("content-typ") == nil)
        #expect(list.text("content-types") == nil)
        #expect(list.count == 3)
        #expect(list.totalBytes == 12 + 1 + 7 + 12 + 1 + 12)
    }

    @Test func `a list is taken apart across its lines, and a very long one not at all`() {
        var list = HeaderList()
        #expect(list.items("accept") == [])
        list.append(name: "Accept", value: " a;q=1,\tb ,, ")
        list.append(name: "Other", value: "x")
        list.append(name: "accept", value: "c d")
        #expect(list.items("accept") == ["a;q=1", "b", "c d"])
        for _ in 0..<61 { list.append(name: "Accept", value: "e") }
        #expect(list.items("accept")?.count == 64)
        list.append(name: "Accept", value: ",")
        #expect(list.items("accept")?.count == 64)
        list.append(name: "Accept", value: "f")
        #expect(list.items("accept") == nil)
        list.append(name: "B", value: String(repeating: "b", count: 2048))
        #expect(list.items("b")?.count == 1)
        list.append(name: "B", value: "b")
        #expect(list.items("b") == nil)
    }

    @Test func `is empty again and reused`() {
        var list = HeaderList()
        for round in 0..<3 {
            for number in 0..<100 { list.append(name: "n\(number)", value: "\(round)") }
            #expect(list.count == 100)
            #expect(list[99].name.elementsEqual("n99".utf8))
            #expect(list[99].value.elementsEqual("\(round)".utf8))
            list.removeAll()
            #expect(list.count == 0)
            #expect(list.totalBytes == 0)
            #expect(list.text("n0") == nil)
        }
    }

    @Test(arguments: [("A", "a", true), ("@", "`", false), ("[", "{", false), ("é", "É", false)])
    func `compares only ASCII letters without case`(_ a: String, _ b: String, _ equal: Bool) {
        var list = HeaderList()
        list.append(name: a, value: "x")
        let name: StaticString =
            switch b {
            case "a": "a"
            case "`": "`"
            case "{": "{"
            default: "É"
            }
        #expect((list.text(name) != nil) == equal)
    }

    @Test(arguments: [
        ("", ""), (" ", ""), ("\t a \t", "a"), ("a b", "a b"), ("a", "a"), ("  a", "a"),
    ])
    func `trims spaces and tabs`(_ text: String, _ trimmed: String) {
        Array(text.utf8).withUnsafeBytes {
            #expect(String(decoding: $0.trimmed, as: UTF8.self) == trimmed)
        }
    }

    @Test(arguments: [
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        (" text/csv ;x", "text/csv"), (";", ""), ("", ""),
    ])
    func `reads the media type without its parameters`(_ header: String, _ type: String) {
        #expect(Request(.post, "/", headers: [("Content-Type", header)]).mediaType == type)
        #expect(Request(.post, "/").mediaType == nil)
    }
}
