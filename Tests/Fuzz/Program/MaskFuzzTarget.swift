import MaskFuzz

/// What libFuzzer calls with each text it makes; it ends the process at the first broken promise.
/// `make fuzz` builds and runs it.
private let properties: MaskProperties = {
    do { return try MaskProperties() } catch { fatalError("\(error)") }
}()

@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzMasking(_ base: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let bytes = UnsafeRawBufferPointer(start: base, count: count)
    if let fault = properties.fault(of: bytes) { fatalError(fault) }
    return 0
}
