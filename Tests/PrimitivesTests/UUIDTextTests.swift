import Primitives
import Testing

@Suite struct UUIDTextTests {
    private func read(_ text: String) -> Key128? {
        var text = text
        return text.withUTF8 { Key128(uuid: UnsafeRawBufferPointer($0)) }
    }

    @Test func `a UUID is read as it was written`() {
        var generator = UUIDv7Generator()
        for _ in 0..<1000 {
            let uuid = generator.next(milliseconds: 1_700_000_000_000)
            var text = ByteBuffer()
            text.append(uuid: uuid)
            #expect(Key128(uuid: text.span) == uuid)
        }
    }

    @Test(arguments: [
        "", "01890a5d-ac96-774b-bcce-b302099a805", "01890A5D-ac96-774b-bcce-b302099a8057",
        "01890a5d-ac96-774b-bcce-b302099a805g", "01890a5dxac96-774b-bcce-b302099a8057",
        "01890a5d-ac96-774b-bcce-b302099a80577",
    ])
    func `other texts are none, upper case among them`(text: String) {
        #expect(read(text) == nil)
    }
}
