import Testing
import TestSupport

@Suite(.processes) struct JSONTreeTests {
    @Test func `a text comes back as a tree`() throws {
        let value = try JSONTree.parse(
            #" {"a":[1,-2.5,1e3,true,null],"b":{"c":"x\n\u00e9\ud83d\ude00"}} "#)
        #expect(value["a"]?.array?.count == 5)
        #expect(value["a"]?[0] == .integer(1))
        #expect(value["a"]?[1]?.number == -2.5)
        #expect(value["a"]?[2]?.number == 1000)
        #expect(value["b"]?["c"]?.string == "x\né😀")
    }

    @Test(arguments: [
        "", "{", "[1,]", #"{"a":1,}"#, #"{"a":1,"a":2}"#, "01", "1.", "+1", "nul", "1 2",
        #""\ud800""#, #""\x""#, "\"\n\"", "{a:1}", "'a'", "[1", #"{"a" 1}"#,
    ])
    func `what is no JSON is refused`(_ text: String) {
        #expect(throws: TestError.self) { try JSONTree.parse(text) }
    }
}
