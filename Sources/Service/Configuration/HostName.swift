internal import Glibc

/// What this machine is called, for naming the node.
enum HostName {
    /// The corresponding C function is `gethostname`. `localhost` where the system does not say;
    /// what a node's name cannot hold becomes a hyphen.
    static var current: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        let bytes = buffer.prefix { $0 != 0 }.prefix(128).map { UInt8(bitPattern: $0) }
        let name = String(decoding: bytes, as: UTF8.self).map { character -> Character in
            let isPlain = character.isASCII && (character.isLetter || character.isNumber)
            return isPlain || character == "." || character == "_" ? character : "-"
        }
        return name.isEmpty ? "localhost" : String(name)
    }
}
