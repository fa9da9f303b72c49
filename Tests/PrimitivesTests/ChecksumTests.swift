import Primitives
import Testing

struct ChecksumTests {
    /// RFC 3720, B.4, and the check value of the CRC catalogue.
    private static let published: [(bytes: [UInt8], crc: UInt32)] = [
        ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
        ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
        ([UInt8](0..<32), 0x46DD_794E),
        ([UInt8](0..<32).reversed(), 0x113F_DB5C),
        ([UInt8]("123456789".utf8), 0xE306_9283),
        ([], 0),
    ]

    @Test(arguments: 0..<6) func `computes the published CRC-32C values`(index: Int) {
        let (bytes, crc) = ChecksumTests.published[index]
        #expect(bytes.withUnsafeBytes { crc32c($0) } == crc)
    }

    /// From an implementation in Python that also computes the published values of SipHash-2-4-128;
    /// key 00…0f.
    @Test(arguments: [
        ("", 0xbea5_8827_b2bc_7ee7 as UInt64, 0x0130_30dd_6adb_62fd as UInt64),
        ("a", 0xa84f_7c63_de37_3c08 as UInt64, 0x678a_ae37_5dd7_2f49 as UInt64),
        ("abcdefg", 0x3e17_2b76_d40b_c7df as UInt64, 0x9948_5dcf_cae9_e9cc as UInt64),
        ("abcdefgh", 0x46bd_fc47_5a26_a073 as UInt64, 0x2d95_335a_0f9f_abc8 as UInt64),
        ("query:v1:42", 0xf891_056e_d151_dc78 as UInt64, 0xd5af_beb9_8697_7081 as UInt64),
    ])
    func `SipHash-1-3-128 is what another implementation computes`(
        text: String, low: UInt64, high: UInt64
    ) {
        let bytes = Bytes(text)
        let key = Key128(high: 0x0706_0504_0302_0100, low: 0x0F0E_0D0C_0B0A_0908)
        #expect(keyedHash128(bytes.span, key: key) == Key128(high: high, low: low))
    }

    @Test func `continues a CRC-32C from any place`() {
        let bytes = (0..<100).map { UInt8($0 * 37 & 0xFF) }
        bytes.withUnsafeBytes { whole in
            for cut in 0...whole.count {
                let first = crc32c(UnsafeRawBufferPointer(rebasing: whole[..<cut]))
                let both = crc32c(UnsafeRawBufferPointer(rebasing: whole[cut...]), seed: first)
                #expect(both == crc32c(whole))
            }
        }
    }

    /// vectors_sip128 of the reference implementation: key 00…0f, input 00, 01, 02 …
    @Test(arguments: [
        (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
        (2, "8177228da4a45dc7fca38bdef60affe4"), (3, "9c70b60c5267a94e5f33b6b02985ed51"),
    ])
    func `computes the published SipHash-2-4-128 values`(count: Int, hex: String) {
        let key = Key128(
            high: UInt64(littleEndian: 0x0706_0504_0302_0100),
            low: UInt64(littleEndian: 0x0F0E_0D0C_0B0A_0908))
        let input = (0..<count).map(UInt8.init)
        let hash = input.withUnsafeBytes { Key128(hashing: $0, key: key) }
        var buffer = ByteBuffer()
        withUnsafeBytes(of: hash) { for byte in $0 { buffer.append(hex: UInt64(byte), digits: 2) } }
        #expect(buffer.text == hex)
    }
}

struct Base64Tests {
    /// RFC 4648, section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func `encodes the published examples`(text: String, encoded: String) {
        var buffer = ByteBuffer()
        let input = ByteBuffer(text)
        buffer.append(base64: input.span)
        #expect(buffer.text == encoded)
        #expect(Base64.isValid(buffer.span))
    }

    @Test func `uses the whole alphabet`() {
        var buffer = ByteBuffer()
        [UInt8]([0xFB, 0xFF, 0xBF, 0x00, 0x10, 0x83]).withUnsafeBytes { buffer.append(base64: $0) }
        #expect(buffer.text == "+/+/ABCD")
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "Zm9-", "Zm 9", "====", "Zm9v\n"])
    func `refuses what is no base 64`(text: String) {
        let buffer = ByteBuffer(text)
        #expect(Base64.isValid(buffer.span) == false)
    }
}
