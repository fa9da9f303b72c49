import Primitives
import Testing

@Suite struct `SHA-256` {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func `gives the sums of FIPS 180-4's examples`(text: String, sum: String) {
        var text = text
        let digest = text.withUTF8 { SHA256Digest(of: UnsafeRawBufferPointer($0)) }
        #expect(hex(digest) == sum)
    }

    @Test(arguments: [
        // RFC 4231, test cases 1, 2 and 6.
        (
            [UInt8](repeating: 0x0b, count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131),
            "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func `gives the keyed sums of RFC 4231`(key: [UInt8], text: String, sum: String) {
        var text = text
        let digest = text.withUTF8 { SHA256Digest(of: UnsafeRawBufferPointer($0), key: key) }
        #expect(hex(digest) == sum)
    }

    @Test func `is made of exactly 32 bytes`() {
        let bytes = [UInt8](0..<32)
        #expect(SHA256Digest(bytes: bytes)?.withBytes { Array($0) } == bytes)
        #expect(SHA256Digest(bytes: Array(bytes.dropLast())) == nil)
    }

    private func hex(_ digest: SHA256Digest) -> String {
        digest.withBytes { bytes in
            bytes.map { byte in
                let digits = String(byte, radix: 16)
                return digits.count == 1 ? "0" + digits : digits
            }.joined()
        }
    }
}
