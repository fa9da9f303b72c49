#pragma once
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, RFC 3720 B.4), continued from `crc`; start with 0. Uses the processor's
/// instruction where it has one.
uint32_t millrace_crc32c(uint32_t crc, const void *bytes, size_t count);

/// SipHash-2-4 with a 128-bit result (Aumasson and Bernstein). `key` and `out` are 16 bytes.
void millrace_siphash128(const uint8_t *key, const void *bytes, size_t count, uint8_t *out);

/// SipHash-1-3 with a 128-bit result: half the rounds, for tables whose keys others choose.
struct millrace_hash128 {
    uint64_t high, low;
};
struct millrace_hash128 millrace_siphash13_128(uint64_t k0, uint64_t k1, const void *bytes, size_t count);

/// Sets the calling thread's nice value (Linux has one per thread) and name (15 bytes at most).
/// Returns 0 or errno.
int millrace_thread_set_nice(int nice);
/// Sets the calling thread's nice value and how long it may keep a core that others wait for: Linux
/// 6.12 and later, 100 us to 100 ms; earlier ones take it and have no such setting. Returns 0 or
/// errno.
int millrace_thread_set_slice(int nice, uint64_t nanoseconds);
/// The same; the nice value stays.
int millrace_thread_set_own_slice(uint64_t nanoseconds);
void millrace_thread_set_name(const char *name);

/// A number of the calling thread, given out in turn from 0 when it first asks. A read of the thread's
/// own memory, so it is cheap enough for every look into a table.
extern _Thread_local unsigned millrace_own_number;
unsigned millrace_number_thread(void);
static inline unsigned millrace_thread_number(void) {
    unsigned number = millrace_own_number;
    return (number != 0 ? number : millrace_number_thread()) - 1;
}

/// Asks the processor for the cache line at `address`, which is soon read; does not wait for it.
static inline void millrace_prefetch(const void *address) { __builtin_prefetch(address); }

/// The number of processors that this process may run on, at least 1.
int millrace_processors(void);
