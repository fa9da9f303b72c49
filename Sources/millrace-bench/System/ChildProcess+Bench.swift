import ProcessSupport

extension ChildProcess {
    /// Starts a program for a benchmark, in an empty environment.
    /// - Parameter output: the file that takes both of its outputs; what it held is gone.
    convenience init(measured command: [String], output: String) throws(BenchFailure) {
        FileSystem.remove(output)
        do throws(SystemFailure) {
            try self.init(command, base: .empty, output: output, errors: output)
        } catch { throw BenchFailure("\(error)") }
    }
}
