/// The functions that SQL of clients and of files may call: those of SQLite that read nothing but
/// their arguments and take time in proportion to them (sqlite.org/lang_corefunc.html and the pages
/// beside it). `json_patch` is none: it takes the product of two sizes.
enum SQLFunctions {
    static let permitted: Set<String> = core.union(aggregates).union(times).union(json).union(math)

    private static let core: Set<String> = [
        "abs", "char", "coalesce", "format", "glob", "hex", "ifnull", "iif", "instr", "length",
        "like", "likelihood", "likely", "lower", "ltrim", "max", "min", "nullif", "printf",
        "quote", "random", "randomblob", "replace", "round", "rtrim", "sign", "substr",
        "substring", "trim", "typeof", "unicode", "unlikely", "upper", "zeroblob",
    ]
    private static let aggregates: Set<String> = [
        "avg", "count", "group_concat", "sum", "total", "cume_dist", "dense_rank", "first_value",
        "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank", "rank", "row_number",
    ]
    private static let times: Set<String> = [
        "current_date", "current_time", "current_timestamp", "date", "datetime", "julianday",
        "strftime", "time", "unixepoch",
    ]
    private static let json: Set<String> = [
        "->", "->>", "json", "json_array", "json_array_length", "json_extract", "json_group_array",
        "json_group_object", "json_insert", "json_object", "json_quote", "json_remove",
        "json_replace", "json_set", "json_type", "json_valid",
    ]
    private static let math: Set<String> = [
        "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "ceiling", "cos",
        "cosh", "degrees", "exp", "floor", "ln", "log", "log10", "log2", "mod", "pi", "pow",
        "power", "radians", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
    ]
}
