/// What a server serves: its routes, who may use them, and what follows each pass of a loop.
package struct Application: Sendable {
    package var router: Router
    package var authorize: Authorizer
    /// Called by each loop after each pass over its connections: the place to hand on what handlers
    /// gathered.
    package var onPassEnd: @Sendable (EventLoop) -> Void

    package init(
        _ router: Router, authorize: @escaping Authorizer = { _, _ in .anonymous },
        onPassEnd: @escaping @Sendable (EventLoop) -> Void = { _ in }
    ) {
        self.router = router
        self.authorize = authorize
        self.onPassEnd = onPassEnd
    }
}
