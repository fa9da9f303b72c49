internal import CPlatform

/// Asks the processor for the cache line at `address`, which is read soon, and does not wait for it.
@inline(__always)
package func prefetch(_ address: UnsafeRawPointer) { millrace_prefetch(address) }
