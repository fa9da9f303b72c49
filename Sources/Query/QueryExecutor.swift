import Primitives
import SQLite
import Storage

/// Runs queries. Blocks: call it on a thread that may.
package enum QueryExecutor {
    /// The rows of one answer may take this much. Groups can be any JSON, up to 256 KiB a value, so
    /// a limit of rows alone would allow gigabytes.
    static let rowsLimitBytes = 16 << 20

    /// Answers `request` from `connection`, which belongs to the caller's thread until this returns
    /// and holds no open statement or limit afterwards.
    ///
    /// There is no cache yet, so every answer is computed from the events: `cache=refresh` and
    /// `bypass` and any `max_stale` are met, `cache=only` is `not_cached`.
    /// - Parameter isCancelled: asked now and then on this thread; true ends the query.
    package static func run(
        _ request: QueryRequest, on connection: Connection, deadline: Deadline,
        isCancelled: (() -> Bool)? = nil
    ) throws(QueryError) -> QueryResult {
        // The progress handler first asks after thousands of steps; a late caller is told at once.
        guard !deadline.hasPassed else {
            throw QueryError(
                .timeout, code: "query_timeout", "the query's time was over before it began")
        }
        guard request.explain || request.cacheMode != .only else {
            throw QueryError(
                .notCached, code: "not_cached", "no cache holds the answer", parameter: "cache")
        }
        connection.limit(until: deadline, isCancelled: isCancelled)
        defer { connection.clearLimit() }
        do throws(SQLiteError) {
            return request.explain
                ? try explanation(of: request, on: connection) : try rows(request, on: connection)
        } catch {
            throw .store(error)
        }
    }

    private static func rows(_ request: QueryRequest, on connection: Connection)
        throws(SQLiteError) -> QueryResult
    {
        do throws(SQLiteError) {
            return try rows(request, QueryCompiler.compile(request), on: connection)
        } catch {
            guard error.message == "integer overflow" else { throw error }
            return try rows(
                request, QueryCompiler.compile(request, sums: .wide), on: connection)
        }
    }

    private static func rows(
        _ request: QueryRequest, _ compiled: CompiledQuery, on connection: Connection
    ) throws(SQLiteError) -> QueryResult {
        let statement = try connection.cached(compiled.sql)
        // An unfinished statement would keep its snapshot and hold up the checkpoints.
        defer { statement.reset() }
        statement.bind(compiled.bindings)
        var encoder = RowEncoder(
            compiled.columns, format: request.format, shape: request.shape)
        var hasMore = false
        while try statement.step() {
            if encoder.rowCount == request.limit || encoder.byteCount >= rowsLimitBytes {
                hasMore = true
                break
            }
            encoder.append(statement)
        }
        let next = QueryCursor(
            fingerprint: request.fingerprint, now: request.now,
            offset: request.offset + encoder.rowCount)
        return encoder.finish(
            mediaType: request.format.mediaType, next: hasMore ? next.text : nil)
    }

    /// The plan instead of the rows, as JSON whatever the format.
    private static func explanation(of request: QueryRequest, on connection: Connection)
        throws(SQLiteError) -> QueryResult
    {
        let compiled = QueryCompiler.compile(request)
        let statement = try connection.prepare("EXPLAIN QUERY PLAN " + compiled.sql)
        statement.bind(compiled.bindings)
        var body = ByteBuffer(capacity: compiled.sql.utf8.count + 1024)
        body.append("{\"source\":\"raw\",\"sql\":")
        body.append(jsonString: compiled.sql)
        body.append(",\"bindings\":")
        body.append(decimal: compiled.bindings.count)
        body.append(",\"plan\":[")
        var isFirst = true
        while try statement.step() {
            if !isFirst { body.append(",") }
            isFirst = false
            // Columns: id, parent, unused, detail.
            body.append(jsonString: statement.bytes(3))
        }
        body.append("],\"cache_key\":")
        body.append(jsonString: request.cacheKey)
        body.append(",\"generations\":")
        body.append(
            decimal: try Generations.sum(
                connection, types: request.types, from: request.from, to: request.to))
        body.append("}")
        return QueryResult(
            columns: [], rowCount: 0, next: nil, mediaType: QueryFormat.json.mediaType,
            body: body.freeze())
    }
}
