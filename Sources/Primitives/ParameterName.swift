/// Names of parameters that clients made up.
package enum ParameterName {
    /// `name` as an error may repeat it: as it is if it is a sane token, else `?`. Anything else
    /// could be a secret in the wrong place.
    package static func shown(_ name: String) -> String {
        let isToken =
            (1...32).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "-"),
                    UInt8(ascii: "."):
                    true
                default: false
                }
            }
        return isToken ? name : "?"
    }
}
