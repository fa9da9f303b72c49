#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// MARK: CRC-32C. zlib has only CRC-32 at about 1 GB/s; the instruction does several times that.

static uint32_t crc_table[256];

__attribute__((constructor)) static void crc_table_fill(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ (value & 1 ? 0x82F63B78u : 0);
        crc_table[i] = value;
    }
}

static uint32_t crc_portable(uint32_t crc, const uint8_t *bytes, size_t count) {
    while (count--) crc = crc_table[(crc ^ *bytes++) & 0xFF] ^ (crc >> 8);
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_fast(uint32_t crc, const uint8_t *bytes,
                                                           size_t count) {
    uint64_t wide = crc;
    for (; count >= 8; count -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; count; count--) crc = __builtin_ia32_crc32qi(crc, *bytes++);
    return crc;
}
static int crc_has_fast(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
static uint32_t crc_fast(uint32_t crc, const uint8_t *bytes, size_t count) {
    for (; count >= 8; count -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        crc = __crc32cd(crc, word);
    }
    for (; count; count--) crc = __crc32cb(crc, *bytes++);
    return crc;
}
static int crc_has_fast(void) { return 1; }
#else
#define crc_fast crc_portable
static int crc_has_fast(void) { return 0; }
#endif

uint32_t millrace_crc32c(uint32_t crc, const void *bytes, size_t count) {
    crc = ~crc;
    crc = crc_has_fast() ? crc_fast(crc, bytes, count) : crc_portable(crc, bytes, count);
    return ~crc;
}

// MARK: SipHash-2-4-128

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define ROUND                                                                                      \
    do {                                                                                           \
        v0 += v1; v1 = ROTL(v1, 13); v1 ^= v0; v0 = ROTL(v0, 32);                                  \
        v2 += v3; v3 = ROTL(v3, 16); v3 ^= v2;                                                     \
        v0 += v3; v3 = ROTL(v3, 21); v3 ^= v0;                                                     \
        v2 += v1; v1 = ROTL(v1, 17); v1 ^= v2; v2 = ROTL(v2, 32);                                  \
    } while (0)

void millrace_siphash128(const uint8_t *key, const void *bytes, size_t count, uint8_t *out) {
    const uint8_t *in = bytes;
    uint64_t k0, k1, word;
    memcpy(&k0, key, 8);
    memcpy(&k1, key + 8, 8);
    uint64_t v0 = 0x736f6d6570736575ull ^ k0, v1 = 0x646f72616e646f6dull ^ k1 ^ 0xee;
    uint64_t v2 = 0x6c7967656e657261ull ^ k0, v3 = 0x7465646279746573ull ^ k1;
    size_t whole = count & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, in + i, 8);
        v3 ^= word; ROUND; ROUND; v0 ^= word;
    }
    word = (uint64_t)count << 56;
    for (size_t i = 0; i < (count & 7); i++) word |= (uint64_t)in[whole + i] << (8 * i);
    v3 ^= word; ROUND; ROUND; v0 ^= word;
    v2 ^= 0xee;
    ROUND; ROUND; ROUND; ROUND;
    word = v0 ^ v1 ^ v2 ^ v3;
    memcpy(out, &word, 8);
    v1 ^= 0xdd;
    ROUND; ROUND; ROUND; ROUND;
    word = v0 ^ v1 ^ v2 ^ v3;
    memcpy(out + 8, &word, 8);
}

struct millrace_hash128 millrace_siphash13_128(uint64_t k0, uint64_t k1, const void *bytes, size_t count) {
    const uint8_t *in = bytes;
    uint64_t word;
    uint64_t v0 = 0x736f6d6570736575ull ^ k0, v1 = 0x646f72616e646f6dull ^ k1 ^ 0xee;
    uint64_t v2 = 0x6c7967656e657261ull ^ k0, v3 = 0x7465646279746573ull ^ k1;
    size_t whole = count & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, in + i, 8);
        v3 ^= word; ROUND; v0 ^= word;
    }
    word = (uint64_t)count << 56;
    if (count >= 8 && (count & 7)) {  // The last bytes, of a word that ends with them.
        uint64_t last;
        memcpy(&last, in + count - 8, 8);
        word |= last >> (64 - 8 * (count & 7));
    } else {
        for (size_t i = 0; i < (count & 7); i++) word |= (uint64_t)in[whole + i] << (8 * i);
    }
    v3 ^= word; ROUND; v0 ^= word;
    v2 ^= 0xee;
    ROUND; ROUND; ROUND;
    struct millrace_hash128 hash = {.low = v0 ^ v1 ^ v2 ^ v3};
    v1 ^= 0xdd;
    ROUND; ROUND; ROUND;
    hash.high = v0 ^ v1 ^ v2 ^ v3;
    return hash;
}

// MARK: Threads

_Thread_local unsigned millrace_own_number;

unsigned millrace_number_thread(void) {
    static _Atomic unsigned last;
    return millrace_own_number = ++last;
}

int millrace_thread_set_nice(int nice) {
    return setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), nice) == 0 ? 0 : errno;
}

// As in sched_setattr(2); glibc 2.36 has neither the structure nor the call.
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

int millrace_thread_set_slice(int nice, uint64_t nanoseconds) {
    struct scheduling wanted = {.size = sizeof wanted, .nice = nice, .runtime = nanoseconds};
    return syscall(SYS_sched_setattr, 0, &wanted, 0u) == 0 ? 0 : errno;
}

int millrace_thread_set_own_slice(uint64_t nanoseconds) {
    return millrace_thread_set_slice(getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid)), nanoseconds);
}

void millrace_thread_set_name(const char *name) {
    char copy[16] = {0};
    strncpy(copy, name, 15);
    pthread_setname_np(pthread_self(), copy);
}
