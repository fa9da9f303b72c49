import Telemetry

extension Request {
    /// Runs `body` in this request's name: what it logs carries the request's id and trace. On any
    /// thread that works for the request.
    package func correlated<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try LogCorrelation.with(trace, requestID: id.span, body)
    }
}
