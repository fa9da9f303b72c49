/// One function a level: what call sites use.
extension Logger {
    @inlinable @inline(__always)
    package func trace(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) { log(.trace, message, fields) }

    @inlinable @inline(__always)
    package func debug(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) { log(.debug, message, fields) }

    @inlinable @inline(__always)
    package func info(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) { log(.info, message, fields) }

    @inlinable @inline(__always)
    package func notice(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) { log(.notice, message, fields) }

    @inlinable @inline(__always)
    package func warning(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) { log(.warning, message, fields) }

    @inlinable @inline(__always)
    package func error(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) { log(.error, message, fields) }

    @inlinable @inline(__always)
    package func critical(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) { log(.critical, message, fields) }
}
