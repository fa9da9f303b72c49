/// Looks at the keys file, as a start would read it.
enum KeysInspection {
    @Sendable static func run(_ configuration: Configuration) -> [Inspection.Finding] {
        guard let path = configuration.keysFile else { return [] }
        let file = KeysFile(path: path)
        do throws(KeysError) {
            let count = try file.read().records.count
            if file.stamp?.isWorldReadable == true {
                return [
                    .init("keys", .warning, "every user of this machine can read \(path)")
                ]
            }
            return [
                count == 0
                    ? .init("keys", .warning, "\(path) holds none, so nobody could do anything")
                    : .init("keys", .ok, "\(path) holds \(count)")
            ]
        } catch {
            return [.init("keys", .failed, "\(error)")]
        }
    }
}
