import HTTPServer

/// Keeps pages in somebody's browser from using a service that asks for no key.
///
/// A page of any site can send a POST without a body, or with one of plain text, to
/// `http://127.0.0.1:8080`; the browser hides the answer from the page and not the request from the
/// service. And a site that has its own name resolve to 127.0.0.1 (DNS rebinding) even gets the
/// answer. Browsers say where a request comes from, and which name it was sent to.
struct BrowserGuard: Sendable {
    /// The service listens on a loopback address, so only names of this machine lead to it.
    let isLoopback: Bool
    /// Names beside those of this machine, in lower case.
    let allowedHosts: Set<String>
    /// Origins whose pages may call; `*` is any.
    let corsOrigins: [String]

    /// - Throws: a 403.
    func check(_ request: Request) throws(Problem) {
        if isLoopback, let host = request.host, !ListenHost.isLoopback(host),
            !allowedHosts.contains(host)
        {
            throw Problem(
                403, "host_not_allowed",
                "The Host is no name of this machine; --allowed-hosts adds names.")
        }
        switch request.method {
        case .get, .head, .options: return
        default:
            guard isOfAllowedPage(request) else {
                throw Problem(
                    403, "cross_site_request",
                    "A page of another site sent this; --cors-origins names sites that may.")
            }
        }
    }

    /// What no browser has sent is allowed.
    private func isOfAllowedPage(_ request: Request) -> Bool {
        let origin = request.headers.first("origin").map { String(decoding: $0, as: UTF8.self) }
        if let origin, corsOrigins.contains(origin) || corsOrigins == ["*"] { return true }
        // A header that scripts cannot set (Fetch Metadata Request Headers, section 2.3).
        if request.headers.first("sec-fetch-site") != nil {
            let site = request.headers.only("sec-fetch-site")
            return site?.isEqual(to: "same-origin") ?? false || site?.isEqual(to: "none") ?? false
        }
        guard let origin else { return true }
        guard let host = request.headers.text("host")?.lowercased() else { return false }
        return origin == "http://" + host || origin == "https://" + host
    }
}

extension BrowserGuard {
    init(_ configuration: Configuration) {
        self.init(
            isLoopback: ListenHost.isLoopback(configuration.host),
            allowedHosts: Set(configuration.allowedHosts),
            corsOrigins: configuration.corsOrigins)
    }
}
