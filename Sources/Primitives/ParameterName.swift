/// Names of parameters that clients made up.
package enum ParameterName {
    private static let shownBytes = 32

    /// `name` as an error may repeat it: as it is if it is short and of letters, digits and the
    /// marks that names of parameters are built with (`where[]`, `filter.a`, `$top`); else `?`.
    /// Anything else could be a secret or an address in the wrong place.
    package static func shown(_ name: String) -> String {
        let isName =
            (1...shownBytes).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "-"),
                    UInt8(ascii: "."), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "$"),
                    UInt8(ascii: ":"), UInt8(ascii: "*"), UInt8(ascii: "("), UInt8(ascii: ")"),
                    UInt8(ascii: "!"), UInt8(ascii: "~"), UInt8(ascii: ","), UInt8(ascii: "/"):
                    true
                default: false
                }
            }
        return isName ? name : "?"
    }
}
