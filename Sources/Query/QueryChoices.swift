/// The width of a row's bucket of time.
package enum QueryInterval: String, Hashable, Sendable, CaseIterable {
    case minute = "1m"
    case fiveMinutes = "5m"
    case quarterHour = "15m"
    case halfHour = "30m"
    case hour = "1h"
    case sixHours = "6h"
    case halfDay = "12h"
    case day = "1d"
    /// From Monday.
    case week = "1w"
    case month = "1mo"

    /// A day is this long unless its zone's clocks change in it; a month is at least so long.
    var widthMilliseconds: Int64 {
        switch self {
        case .minute: 60_000
        case .fiveMinutes: 300_000
        case .quarterHour: 900_000
        case .halfHour: 1_800_000
        case .hour: 3_600_000
        case .sixHours: 21_600_000
        case .halfDay: 43_200_000
        case .day: 86_400_000
        case .week: 604_800_000
        case .month: 28 * 86_400_000
        }
    }

    /// Its buckets begin with a midnight of the zone, and not at a multiple of their width.
    var followsCalendar: Bool { self == .day || self == .week || self == .month }
}

/// What the metrics of an empty bucket are; a time (`min:time`) is null either way.
package enum QueryFill: String, Hashable, Sendable, CaseIterable {
    case zero = "0"
    case null
}

/// What a caller asks of the cache: compute and store, neither read nor store, or answer from it
/// alone.
package enum QueryCacheMode: String, Hashable, Sendable, CaseIterable {
    case refresh, bypass, only
}

/// Where answers may come from: rollups where they cover the question, or the events alone.
package enum QueryRollups: String, Hashable, Sendable, CaseIterable {
    case auto, off
}

/// How the answer is written.
package enum QueryFormat: String, Hashable, Sendable, CaseIterable {
    case json, csv, ndjson

    package var mediaType: String {
        switch self {
        case .json: "application/json"
        case .csv: "text/csv; charset=utf-8; header=present"
        case .ndjson: "application/x-ndjson"
        }
    }
}

/// Rows in JSON: arrays beside the columns' names, or objects. CSV and NDJSON have one shape.
package enum QueryShape: String, Hashable, Sendable, CaseIterable {
    case rows, objects
}

/// One column that decides the order of the rows.
package struct QueryOrder: Hashable, Sendable {
    /// Counts from 0 in `QueryRequest.columns`.
    package let column: Int
    package let isDescending: Bool
}
