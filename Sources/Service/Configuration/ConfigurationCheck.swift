/// What must hold between settings that are each right by themselves.
enum ConfigurationCheck {
    /// - Returns: masking, which is put together to see whether its settings go together.
    /// - Throws: every rule that does not hold, with what would be right.
    static func run(
        _ values: ResolvedSettings, role: ServiceRole
    ) throws(ConfigurationError) -> MaskingSettings {
        let problems = [
            access(values), bodies(values), memory(values), events(values), redis(values),
            work(values, role), forwards(values),
        ].compactMap { $0 }
        let masking: MaskingSettings
        do throws(ConfigurationError) { masking = try MaskingSettings(values) } catch {
            throw ConfigurationError(problems + error.problems)
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        return masking
    }

    /// Without keys anybody who reaches the port may post and read.
    private static func access(_ values: ResolvedSettings) -> String? {
        let host = values[\.host]
        guard !ListenHost.isLoopback(host), values[\.keysFile] == nil, !values[\.insecureNoAuth]
        else { return nil }
        return """
            \(values.cite(\.host)): `\(host)` can be reached from other machines and no keys are \
            configured, so anybody there could post events and read them; make a key with \
            `millrace keys add` and name the file with --keys-file, or listen on 127.0.0.1 (the \
            default); where the network itself is trusted, as in a container whose port you \
            publish yourself, say so with --insecure-no-auth or MILLRACE_INSECURE_NO_AUTH=true
            """
    }

    /// One command reads all partitions, which a cluster spreads over its servers; the cache's client
    /// knows no redirections either.
    private static func redis(_ values: ResolvedSettings) -> String? {
        if values[\.redisURL]?.isCluster == true {
            return """
                \(values.cite(\.redisURL)): streams do not run on a Redis cluster; name a single \
                server, or a proxy in front of one
                """
        }
        guard values[\.cacheRedisURL]?.isCluster == true else { return nil }
        return """
            \(values.cite(\.cacheRedisURL)): the cache does not run on a Redis cluster; name a \
            single server, or a proxy in front of one
            """
    }

    /// Nothing else brings a worker events.
    private static func work(_ values: ResolvedSettings, _ role: ServiceRole) -> String? {
        guard role == .worker, values[\.redisURL] == nil else { return nil }
        return """
            redis-url: a worker gets its events from Redis; say where it is with --redis-url or \
            MILLRACE_REDIS_URL, such as redis://127.0.0.1:6379
            """
    }

    private static func forwards(_ values: ResolvedSettings) -> String? {
        guard values[\.logsStore] == .off,
            let forward = values.entries(of: LogForwardDeclaration.form).first
        else { return nil }
        return """
            log-forwards.\(forward.name): there is nothing to forward, since \
            \(values.cite(\.logsStore)) takes no logs; make it files or search
            """
    }

    private static func bodies(_ values: ResolvedSettings) -> String? {
        guard values[\.decompressedLimit] < values[\.bodyLimit] else { return nil }
        return """
            \(values.cite(\.decompressedLimit)) is less than \(values.cite(\.bodyLimit)), so a \
            plain body of the permitted size would be refused; make it at least \
            \(ByteSize.format(values[\.bodyLimit]))
            """
    }

    /// A compressed body and what it inflates to are in memory together.
    private static func memory(_ values: ResolvedSettings) -> String? {
        let (body, plain) = (values[\.bodyLimit], values[\.decompressedLimit])
        guard values[\.bodyMemory] < body + plain else { return nil }
        return """
            \(values.cite(\.bodyMemory)) is less than a body of the permitted size takes, so it \
            would be refused even alone; make it at least \(ByteSize.format(body + plain)), or \
            lower \(values.cite(\.bodyLimit)) or \(values.cite(\.decompressedLimit))
            """
    }

    private static func events(_ values: ResolvedSettings) -> String? {
        guard values[\.eventLimit] > values[\.decompressedLimit] else { return nil }
        return """
            \(values.cite(\.eventLimit)) is more than \(values.cite(\.decompressedLimit)), so no \
            such event could ever arrive; make it at most \
            \(ByteSize.format(values[\.decompressedLimit]))
            """
    }
}
