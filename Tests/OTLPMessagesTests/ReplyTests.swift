import OTLPMessages
import Primitives
import Testing

@Suite struct ReplyTests {
    @Test func `full success is an empty message`() {
        #expect(OTLPPartialSuccess.reply(nil, .protobuf).count == 0)
        #expect(OTLPPartialSuccess.reply(nil, .json).text == "{}")
    }

    @Test func `partial success is as others write and read it`() {
        let partial = OTLPPartialSuccess(rejected: 3, message: "too deep")
        // Written by Google's library for Python.
        let foreign = ForeignMessage.bytes("0a0c08031208746f6f2064656570")
        let own = OTLPPartialSuccess.reply(partial, .protobuf)
        #expect(own.array == foreign)
        #expect(OTLPPartialSuccess(reply: own) == partial)
        #expect(
            OTLPPartialSuccess.reply(partial, .json).text
                == #"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too deep"}}"#)
    }

    @Test func `a reply that says nothing, or nothing that can be read, left nothing out`() {
        for bytes: [UInt8] in [[], Array("<html>".utf8), [0xFF, 0xFF]] {
            let reply = Bytes(bytes)
            #expect(OTLPPartialSuccess(reply: reply) == nil)
        }
    }

    @Test(arguments: [
        (400, 3), (401, 16), (403, 7), (404, 5), (405, 12), (408, 4), (413, 8), (415, 3),
        (429, 8), (500, 13), (503, 14),
    ])
    func `an HTTP status has its code`(status: Int, code: Int) {
        #expect(RPCStatus(httpStatus: status, message: "").code == code)
    }

    @Test func `a status is as others write it`() {
        let status = RPCStatus(code: 3, message: "bad")
        #expect(status.body(.protobuf).array == ForeignMessage.bytes("08031203626164"))
        #expect(status.body(.json).text == #"{"code":3,"message":"bad"}"#)
    }
}
