import Masking

/// Texts made for the tests, with what must be found in them and what must not.
///
/// A class has *values* (each is put into every *line*) and *near misses*, texts that look like it
/// and are something else. All were made up; numbers of cards and accounts are test numbers or were
/// computed to pass their checks.
struct MaskingCorpus {
    struct Sample {
        var kind: PIIClass
        /// One must be found in each of `lines`.
        var values: [String]
        /// None may be found as this class.
        var nearMisses: [String]
    }

    /// `%` is where the value goes.
    static let lines = [
        "%", "user % signed in", "value=%", "\"%\"", "(%)", "<%>", "from %, to somebody",
        "{\"note\":\"%\"}", "{\"a\":{\"b\":[\"x\",\"%\"]}}", "sent to %.", "got: % (ok)",
        "[%]", "a line\n%\nanother", "2026-11-29T10:00:00.123Z INFO 42 ms % done",
        "{\"text\":\"said \\\"%\\\" twice\"}", "Grüße an %, café",
        "{\"payload\":\"{\\\"inner\\\":\\\"%\\\"}\"}", "/path/x?y=1 %", "%;next", "x\t%\ty",
    ]

    static let samples: [Sample] = [
        Sample(
            kind: .email,
            values: [
                "ann@example.com", "j.doe+tag@mail.example.co.uk", "o_brien-1@sub.example.org",
                "müller@bücher.example", "x@xn--bcher-kva.example", "9lives@cat.museum",
                "a.b.c@d-e.io", "UPPER@CASE.COM", "first.last@199x.example", "r%2Dd@example.net",
                "ann%40example.com", "ｂｏｂ＠example.com", "te\u{200B}st@example.com",
                "ann@[192.0.2.1]", "ann@[IPv6:2001:db8::1]", "ann@[ipv6:::1]",
            ],
            nearMisses: [
                "icon@2x.png", "logo@3x.jpg", "git@github.com:owner/name", "package@1.2.3",
                "react@18.2.0", "@mention", "root@db1", "a @ b", "user@", "@example.com",
                "x@y", "foo@bar", "10@5", "@media screen", "e@.com", "commit@{1}", "main@{u}",
                "@app.route", "vec@0x7fff", "npm i lodash@latest",
            ]),
        Sample(
            kind: .card,
            values: [
                "4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111",
                "5555555555554444", "5105 1051 0510 5100", "2223003122003222", "378282246310005",
                "3782 822463 10005", "371449635398431", "6011111111111117", "30569309025904",
                "3056 930902 5904", "3530111333300000", "6212345678901232", "4222222222222",
            ],
            nearMisses: [
                "4111111111111112", "1764417600000", "1764417600123", "1764417600123456",
                "20261129103000", "123456789012345678901234", "1234567890123456",
                "0000000000000000", "550e8400-e29b-41d4-a716-446655440000",
                "00000000-4111-1111-1111-111111111111", "3.1415926535897932", "0x4111111111111111",
                "id_4111111111111111", "4111111111111111a", "9999999999999995",
                "17644176001234567", "order 8000 0000 0000 0000", "4111.1111.1111.1111",
                "1Z999AA10123456784", "a4111111111111111",
            ]),
        Sample(
            kind: .iban,
            values: [
                "DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819",
                "FR1420041010050500013M02606", "NL91ABNA0417164300", "CH9300762011623852957",
                "ES9121000418450200051332", "IT60X0542811101000000123456",
                "AT61 1904 3002 3457 3201", "NO9386011117947", "PL61109010140000071219812874",
                "SE4550000000058398257466",
            ],
            nearMisses: [
                "DE89370400440532013001", "DE8937040044053201300", "XX89370400440532013000",
                "GB29NWBK6016133192681", "SN12345678", "AB12CD34EF56", "ISO8601", "UTF16LE32",
                "FR76", "RFC2616", "DE89", "ES2015", "BE0123456789",
            ]),
        Sample(
            kind: .ssn,
            values: [
                "123-45-6789", "219-09-9999", "078-05-1120", "457-55-5462", "001-01-0001",
                "899-99-9999", "665-12-3456", "772-34-0987", "333-22-4444", "512-60-7788",
            ],
            nearMisses: [
                "000-12-3456", "666-12-3456", "912-34-5678", "123-00-4567", "123-45-0000",
                "123-456-789", "12-345-6789", "123-45-67890", "1123-45-6789", "2026-11-29",
                "123-45-6789-0", "a123-45-6789", "123 45 6789 items", "978-3-16-148410-0",
            ]),
        Sample(
            kind: .phone,
            values: [
                "+49 30 901820", "+1 212 555 0123", "+442071838750", "+33 1 42 68 53 00",
                "+1-800-555-0199", "(212) 555-0123", "212-555-0123", "212.555.0123",
                "+81 3-1234-5678", "+41 (0)44 668 18 00", "1-800-555-0123", "+4915112345678",
                "+39 06 6982", "tel 030 1234567", "phone: 0171/1234567",
            ],
            nearMisses: [
                "2026-11-29", "10:20:30", "+0100", "+1.5e10", "2125550123", "1234567",
                "112-555-0123", "212-155-0123", "+12", "a+12345678", "10.0.0.1",
                "123-4567", "1+1", "2026-11-29T10:00:00+01:00", "v1.2.3-456-7890",
                "550e8400-e29b-41d4-a716-446655440000", "100-200-300", "+48.856613",
                "call 2026-11-29", "0.5-0.75", "12345-67890",
            ]),
        Sample(
            kind: .ipv4,
            values: [
                "203.0.113.7", "198.51.100.255", "8.8.8.8", "192.168.1.20", "10.1.2.3",
                "172.16.254.1", "100.64.0.9", "203.0.113.7:8080", "1.1.1.1", "83.149.9.216",
            ],
            nearMisses: [
                "256.1.1.1", "1.2.3", "1.2.3.4.5", "Chrome/120.0.0.0", "v1.2.3.4",
                "version 1.2.3.4", "01.02.03.04", "127.0.0.1", "0.0.0.0", "libfoo-1.2.3.4",
                "203.0.113.0/24", "1.3.6.1.4.1.311", "10.0.0", "3.14.15.926", "build 10.0.0.1",
            ]),
        Sample(
            kind: .ipv6,
            values: [
                "2001:db8:85a3::8a2e:370:7334", "2001:0db8:0000:0000:0000:ff00:0042:8329",
                "fe80::1ff:fe23:4567:890a", "2a00:1450:4001:81b::200e", "fd12:3456:789a:1::1",
                "::ffff:203.0.113.7", "2606:4700:4700::1111", "2400:cb00:2048:1::c629:d7a2",
                "64:ff9b::203.0.113.7", "2001:db8::1", "[IPv6:2001:db8::1]", "client:2001:db8::1",
                "client:/2001:db8::1", "L:/10.0.0.1:80 - R:/2001:db8:0:0:0:0:0:1:51234",
                "peer_addr:fe80::1ff:fe23:4567:890a",
            ],
            nearMisses: [
                "::1", "::", "00:1a:2b:3c:4d:5e", "12:34:56", "std::vector", "ace::bed",
                "a::b", "10:20:30:40", "1:2:3:4:5:6:7:8:9", "key:value", "2001:db8:85a3::/48",
                "list[1::2]", "dead::beef", "2026:11:29", "host:8080", "[IPv6:2001:db8::/48]",
                "client:2001:db8::/48", "at:10:20:30:40", "std::2001::x", "peer:/12:34:56",
            ]),
        Sample(
            kind: .jwt,
            values: [
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLWhlcmU",
                "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmN",
                "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.eyJhIjoxfQ.",
                "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13gRp.48V1_ALb6US0.5eym8TW_c8Sul.XFBoMYUZodet",
                "eyJraWQiOiJhIiwiYWxnIjoiRVMyNTYifQ.eyJpc3MiOiJ4In0.AAAA-bbbb_CCCC",
            ],
            nearMisses: [
                "eyJhIjoxfQ", "eyJub3QiOiJhIHRva2VuIn0=", "eye.just.a.word", "eyJ",
                "heyJude.is.a.song",
                "eyJhYmNkZWZnaA.xyzxyz.abc", "keyJar.value.name", "eyJhbGci", "obeyJames.smith.x",
                "theyJoin.us.now",
            ]),
        Sample(
            kind: .credentials,
            values: [
                "Bearer abc123DEF456", "bearer 0123456789abcdef", "Basic dXNlcjpwYXNzd29yZA==",
                "basic YWRtaW46czNjcjN0", "Bearer mF_9.B5f-4.1JqM", "BEARER Zm9vYmFyYmF6cXV4",
            ],
            nearMisses: [
                "bearer authentication", "Basic authentication", "Bearer token", "basic usage",
                "forebearer 12345678", "Basic English grammar", "basic understanding",
                "Bearer of bad news", "a basic example", "Basic 12345",
            ]),
        Sample(
            kind: .token,
            values: [
                "AKIAIOSFODNN7EXAMPLE", "ASIAY34FZKBOKMUTVV7A",
                "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "glpat-abcDEF123_456-7890xy",
                "xoxb-123456789012-abcdefGHIJ", "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
                "AIzaSyA1234567890abcdefghijklmnopqrstuv", "sk-proj-abc123DEF456ghi789JKL",
                "github_pat_11ABCDEFG0123456789_abcdefgh",
                "npm_abcdefghijklmnopqrstuvwxyz0123456789",
                "SG.abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz01234567",
                "ghs_" + String(repeating: "aB3.", count: 20) + "z",
            ],
            nearMisses: [
                "AKIA", "AKIAabc", "ghp_short", "glpat-", "sk-learn-contrib-metrics-pairwise",
                "XAKIAIOSFODNN7EXAMPLE", "xoxb-", "sk_live_", "AIzaShort",
                "task-1234567890123456789012",
                "disk-abcdefghij0123456789abc", "npm_config_cache",
                "risk-assessment-2026-11-29-final",
                "SG.short.text", "github_pat_", "mask_live_abcdefghijklmnopqrstu",
            ]),
        Sample(
            kind: .urlSecret,
            values: [
                "https://user:pa55@example.com/x", "redis://:hunter2@cache:6379/0",
                "https://example.com/?token=abc123", "/cb?a=1&access_token=zzz999",
                "https://example.com/x?sig=Zm9v&se=1", "postgres://app:s3cret@db/main",
                "/in?api_key=k-123", "/login?user=x&password=hunter2", "ftp://ann@example.com/f",
                "/x?X-Amz-Signature=abcdef0123", "postgres://app:p@ss@db/main",
                "postgres://app:p%2Fss@db/main", "/a%20b?token=a%26b",
            ],
            nearMisses: [
                "https://example.com/a@b", "https://example.com/?page=2", "/x?keyword=abc",
                "/x?monkey=1", "/search?q=token", "https://example.com:8080/",
                "/x?max_tokens=100", "/x?tokenizer=bpe", "http://[2001:db8::/32]/",
                "/x?sort=key", "/x?signal=9", "/a?codec=h264", "/x?author=ann",
            ]),
        Sample(
            kind: .key,
            values: [
                "password=hunter2", "\"passwd\": \"hunter2\"", "api_key: k-12345", "SECRET=abcdef",
                "apiKey=zzz", "client_secret='abc def'", "DB_PASSWORD=x!y", "access-key = AbC123",
                "cvv=123", "csrf_token=a1b2c3d4", "session_id=deadbeef01",
                "X-Api-Key: 123abc", #"{"password":["hunter2"]}"#,
                #"{"password":{"new":"hunter2"}}"#,
                #"{"pass\u0077ord":"hunter2"}"#, #""password":"ab\"hunter2""#,
                #"password: Some("hunter2")"#, "{'password': b'hunter2'}", "password:\thunter2",
                "spring.cloud.config.server.git.repos.main.http.basic.password=hunter2",
                "myAppUserSettingsDbMainConnStringPassword=hunter2",
                "service.state.password=hunter2",
            ],
            nearMisses: [
                "max_tokens=100", "tokenizer=bpe", "author=ann", "monkey=1", "bucket=photos",
                "socket=5", "ping=3", "discard=1", "session_count=7", "key=value", "pinned=1",
                "token_type=mac", "password_policy=strict", "has_password=true", "keyboard=us",
                "passenger=ann", "secretary=bob", "cardinality=9", "hashtag=swift",
                "token_expires_in=3600", "password: null", "compass=north", "session_duration=3",
                "token: [see the manual]", "password: []", "secrets: {}", "users.password.length=8",
                "usage.tokens=7", "a.b.c.d.e.f.g.h.password.policy=strict",
            ]),
        Sample(
            kind: .privateKey,
            values: [
                "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBg\\n-----END PRIVATE KEY-----",
                "-----BEGIN RSA PRIVATE KEY-----\\nMIIEpAIBAAKCAQ\\n-----END RSA PRIVATE KEY-----",
                "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1r\\n-----END OPENSSH PRIVATE KEY-----",
                "-----BEGIN PGP PRIVATE KEY BLOCK-----\\nlQOYBF\\n-----END PGP PRIVATE KEY BLOCK-----",
            ],
            nearMisses: [
                "-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----", "private key",
                "-----", "--BEGIN PRIVATE KEY--", "-----BEGIN RSA PUBLIC KEY-----",
            ]),
    ]
}
