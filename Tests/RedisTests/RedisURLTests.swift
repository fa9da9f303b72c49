import Testing

@testable import Redis

struct RedisURLTests {
    @Test(arguments: [
        ("redis://localhost", "redis://localhost:6379"),
        ("redis://127.0.0.1:6380/3", "redis://127.0.0.1:6380/3"),
        ("redis://localhost/", "redis://localhost:6379"),
        ("redis://:secret@h:1", "redis://:***@h:1"),
        ("redis://ada:se%3Acr%40et%2f@h", "redis://ada:***@h:6379"),
        ("redis://ada:a:b@h", "redis://ada:***@h:6379"),
        ("redis://[::1]", "redis://[::1]:6379"),
        ("redis://[fe80::1]:7000/2", "redis://[fe80::1]:7000/2"),
        ("redis://h/2?cluster=false", "redis://h:6379/2"),
        ("redis://h?db=4", "redis://h:6379/4"),
        ("redis://a:1,b:2,c?cluster=true", "redis://a:1,b:2,c:6379?cluster=true"),
        ("redis://u:p@a:1,[::1]:2?cluster=true", "redis://u:***@a:1,[::1]:2?cluster=true"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("unix://u:p@/run/re%20dis.sock?db=2", "unix://u:***@/run/re dis.sock?db=2"),
    ])
    func `reads what it should, and hides the password`(text: String, shown: String) throws {
        #expect(try RedisURL(parsing: text).description == shown)
    }

    @Test func `decodes user and password`() throws {
        let url = try RedisURL(parsing: "redis://a%20b:s%3Ae%40%2F%23%C3%A9@h")
        #expect(url.user == "a b")
        #expect(url.password?.value == "s:e@/#é")
    }

    @Test(arguments: [
        "", "localhost", "http://h", "rediss://h", "redis://", "redis:///1", "redis://h:",
        "redis://h:0", "redis://h:65536", "redis://h:+1", "redis://h:x", "redis://h/x",
        "redis://h/-1", "redis://h/+1", "redis://h/1/2", "redis://h/1?db=2", "redis://a,b",
        "redis://a,,b?cluster=true", "redis://a,b/1?cluster=true", "redis://h?cluster=yes",
        "redis://h?timeout=1", "redis://[::1", "redis://[::1]x", "redis://[::1]:",
        "redis://[]", "redis://h h", "redis://u:%zz@h", "redis://u:%4@h", "redis://u:%00@h",
        "redis://u:%ff@h", "unix://", "unix://relative", "unix://host/path",
        "unix:///s?cluster=true", "redis://u:hunter2", "redis://hunter2@h", "redis://u:@h",
        "redis://u:hun/ter2@h", "redis://u:hun#ter2@h", "redis://u:hun?ter2@h",
        "redis://u:hun@ter2@h", "redis://u:hunter2@h:port",
    ])
    func `refuses what it should, without repeating it`(text: String) {
        let error = #expect(throws: RedisError.self) { try RedisURL(parsing: text) }
        #expect(error?.code == .invalidURL)
        #expect(error?.message.contains("ter2") == false)
    }

    @Test func `a password is not printed by any common way`() throws {
        let url = try RedisURL(parsing: "redis://u:hunter2@h")
        var dumped = ""
        dump(url, to: &dumped)
        for text in ["\(url)", String(reflecting: url), dumped, "\(url.password as Any)"] {
            #expect(!text.contains("hunter2"))
        }
    }
}
