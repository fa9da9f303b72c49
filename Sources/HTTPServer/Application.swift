/// What a server serves: its routes, who may use them, and what follows each pass of a loop.
package struct Application: Sendable {
    package var router: Router
    package var authorize: Authorizer
    /// Whether a caller that was let in with the same header less than a second ago still would be;
    /// the last parameter is the loop's index. Called once for each request that gets a repeated
    /// reply, so it counts the request in a quota; where it says no, the authorizer is asked.
    package var readmit: @Sendable (Principal, Access, Int) -> Bool
    /// Called by each loop after each pass over its connections: the place to hand on what handlers
    /// gathered.
    package var onPassEnd: @Sendable (EventLoop) -> Void

    package init(
        _ router: Router, authorize: @escaping Authorizer = { _, _ in .anonymous },
        readmit: @escaping @Sendable (Principal, Access, Int) -> Bool = { _, _, _ in true },
        onPassEnd: @escaping @Sendable (EventLoop) -> Void = { _ in }
    ) {
        self.router = router
        self.authorize = authorize
        self.readmit = readmit
        self.onPassEnd = onPassEnd
    }
}
