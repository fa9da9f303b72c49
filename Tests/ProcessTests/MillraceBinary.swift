internal import Glibc
import TestSupport

/// Where the program under test lies.
enum MillraceBinary {
    /// `MILLRACE_BINARY` if it is set (relative to the package), else the one that was built in
    /// the same run as these tests and so lies beside them.
    static func path() throws -> String {
        let path = named() ?? BuildFolder.program("millrace")
        guard access(path, X_OK) == 0 else {
            throw TestError("there is no millrace at \(path): swift build --product millrace")
        }
        return path
    }

    /// Sanitizers keep freed memory, so what a process holds then says little.
    static let isSanitized = (try? path()).map { $0.contains("-asan") || $0.contains("-tsan") }

    /// The folder that holds `Package.swift`; ends without a slash.
    static let packageRoot: String = {
        // <root>/Tests/ProcessTests/MillraceBinary.swift
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(3)
        return parts.joined(separator: "/")
    }()

    private static func named() -> String? {
        guard let value = getenv("MILLRACE_BINARY") else { return nil }
        let path = String(cString: value)
        return path.hasPrefix("/") ? path : packageRoot + "/" + path
    }
}
