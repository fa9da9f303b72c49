import ArgumentParser
internal import Glibc
import Masking
import Primitives

/// Masks lines, as the service masks what it shows of requests and logs.
struct MaskCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mask",
        abstract: "Mask personal data and secrets in lines of text or JSON.",
        discussion: """
            Reads standard input and writes the masked lines to standard output. Forms, own rules and \
            all else come from the configuration, as for serve.

              millrace mask < app.log > clean.log
              millrace mask --config millrace.yaml < app.log
              millrace mask --explain < app.log    what matched, where and why, without showing it
            """)

    @Flag(help: "Say what matched, where and why, instead of writing the lines; shows no value.")
    var explain = false

    @Flag(help: "The same as --mask-mode strict.")
    var strict = false

    @OptionGroup(title: "Masking") var masking: MaskingOptions
    @Option(\.config) var config: SettingFlag?

    /// Bytes that are read at once. A line may be longer: it is held until it is whole.
    private static let chunkBytes = 64 << 10

    func run() throws {
        let masker = try Startup.masking(flags: flags).masker
        var pending = ByteBuffer(capacity: MaskCommand.chunkBytes)
        var number = 0
        while true {
            let space = pending.spare(MaskCommand.chunkBytes)
            let count = read(STDIN_FILENO, space.baseAddress, space.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            pending.commit(count)
            let taken = masked(pending.span, masker, &number)
            var rest = ByteBuffer(capacity: MaskCommand.chunkBytes)
            rest.append(UnsafeRawBufferPointer(rebasing: pending.span[taken...]))
            pending = rest
        }
        if !pending.isEmpty {
            number += 1
            write(pending.span, masker, number, ending: "")
        }
    }

    private var flags: [String: String] {
        var flags = SettingFlag.given(in: masking)
        if let config { flags[config.name] = config.text }
        if strict { flags[Settings.table.maskMode.row.name] = MaskMode.strict.rawValue }
        return flags
    }

    /// Masks the whole lines of `bytes`.
    /// - Returns: how many bytes they are.
    private func masked(
        _ bytes: UnsafeRawBufferPointer, _ masker: Masker, _ number: inout Int
    ) -> Int {
        var start = 0
        while true {
            let end = JSONScan.lineEnd(bytes, from: start)
            guard end < bytes.count else { return start }
            number += 1
            write(
                UnsafeRawBufferPointer(rebasing: bytes[start..<end]), masker, number, ending: "\n")
            start = end + 1
        }
    }

    private func write(
        _ line: UnsafeRawBufferPointer, _ masker: Masker, _ number: Int, ending: StaticString
    ) {
        var output = ByteBuffer(capacity: line.count + 64)
        if explain {
            masker.explain(line, as: .line) { finding, path, form in
                let place = path.isEmpty ? "" : " at \(path)"
                output.append(
                    "line \(number), bytes \(finding.start) to \(finding.end)\(place): "
                        + "\(masker.name(of: finding)) (\(finding.reason)), \(form)\n")
            }
        } else {
            masker.mask(line, as: .line, into: &output)
            output.append(ending)
        }
        StandardStream.output.write(output.span)
    }
}
