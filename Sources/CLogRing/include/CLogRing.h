#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

// The thread's side of the logger. In C because a thread-local variable and an acquire load are one
// instruction each here; a Swift static or a lock would cost more than the whole call may.

/// Bytes that one thread writes and the log's back end reads. They are mapped twice, one mapping
/// after the other, so a record is contiguous wherever it begins.
typedef struct millrace_log_ring {
    // What both sides read, and neither changes while records flow.
    uint8_t *bytes;
    uint64_t capacity;
    /// Which logger it belongs to: a number that is never given again.
    uint64_t logger;
    /// Of the same thread, for another logger.
    struct millrace_log_ring *next;
    /// The thread and the logger; whoever lets go last frees it.
    uint32_t references;
    /// Nobody writes any more: the thread has ended.
    uint32_t orphaned;
    /// Nobody reads any more: the logger was closed.
    uint32_t closed;
    uint32_t unused;
    uint64_t padding_0[1];

    // The thread's own line.
    uint64_t head;
    uint64_t offset;
    /// What `tail` was when the thread last looked.
    uint64_t tail_seen;
    uint32_t writing;
    /// The thread has waited for room in vain and does not wait again before there was some.
    uint32_t gave_up;
    uint64_t padding_1[4];

    // The back end's own line.
    uint64_t tail;
    uint64_t padding_2[7];
} millrace_log_ring;

/// What a record says about the request in whose name the thread works.
typedef struct {
    uint64_t trace_high, trace_low, span;
    /// Of the request id; 0: there is no request.
    uint32_t id_length;
    uint8_t id[68];
} millrace_log_context;

typedef struct {
    /// Of `ring`; 0: none.
    uint64_t logger;
    millrace_log_ring *ring;
    /// All rings of the thread.
    millrace_log_ring *rings;
    millrace_log_context context;
} millrace_log_thread;

extern _Thread_local millrace_log_thread millrace_log_self
    __attribute__((tls_model("initial-exec")));

/// Creates a ring for the calling thread, who owns its writing end until it ends, or until
/// `millrace_log_ring_release`. NULL if there is no memory.
millrace_log_ring *millrace_log_ring_create(uint64_t logger, uint64_t capacity);
/// The same without a thread: for records that several threads write under a lock.
millrace_log_ring *millrace_log_ring_create_shared(uint64_t logger, uint64_t capacity);
/// Makes the calling thread's ring for `logger` its current one. Lets go of rings whose logger was
/// closed. Returns NULL if the thread has none.
millrace_log_ring *millrace_log_ring_find(uint64_t logger);
/// The logger's reference.
void millrace_log_ring_release(millrace_log_ring *ring);

/// Sleeps until `millrace_log_wake` or for `nanoseconds`.
void millrace_log_sleep(uint32_t *sleeping, uint64_t nanoseconds);
/// Wakes who sleeps on it.
void millrace_log_wake(uint32_t *sleeping);

/// On a signal that ends the process through a fault or abort(), lets the back end that sleeps on
/// `sleeping` write what it can for at most `milliseconds`, then ends it as without this.
/// `*request` becomes 1; the back end sets `*done`. Call once.
void millrace_log_flush_on_fatal_signal(
    uint32_t *sleeping, uint32_t *request, uint32_t *done, int milliseconds);
/// Tells that the calling thread is the back end, which cannot wait for itself.
void millrace_log_is_back_end(void);

static inline uint64_t millrace_log_load(const uint64_t *value) {
    return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}
static inline void millrace_log_store(uint64_t *value, uint64_t to) {
    __atomic_store_n(value, to, __ATOMIC_RELEASE);
}
static inline uint32_t millrace_log_load32(const uint32_t *value) {
    return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}
static inline void millrace_log_store32(uint32_t *value, uint32_t to) {
    __atomic_store_n(value, to, __ATOMIC_SEQ_CST);
}

static inline uint64_t millrace_log_head(const millrace_log_ring *ring) {
    return millrace_log_load(&ring->head);
}
static inline uint64_t millrace_log_tail(const millrace_log_ring *ring) {
    return millrace_log_load(&ring->tail);
}
/// What lies before `tail` has been read.
static inline void millrace_log_set_tail(millrace_log_ring *ring, uint64_t tail) {
    millrace_log_store(&ring->tail, tail);
}
static inline bool millrace_log_is_orphaned(const millrace_log_ring *ring) {
    return millrace_log_load32(&ring->orphaned) != 0;
}
static inline bool millrace_log_is_writing(const millrace_log_ring *ring) {
    return millrace_log_load32(&ring->writing) != 0;
}
static inline void millrace_log_ring_close(millrace_log_ring *ring) {
    millrace_log_store32(&ring->closed, 1);
}

static inline millrace_log_ring *millrace_log_current(uint64_t logger) {
    return millrace_log_self.logger == logger ? millrace_log_self.ring : NULL;
}

static inline millrace_log_context *millrace_log_context_current(void) {
    return &millrace_log_self.context;
}

/// From now on the thread works in the name of a request; at most 64 bytes of its id.
static inline void millrace_log_context_set(
    uint64_t trace_high, uint64_t trace_low, uint64_t span, const void *id, uint32_t id_length) {
    millrace_log_context *context = &millrace_log_self.context;
    context->trace_high = trace_high;
    context->trace_low = trace_low;
    context->span = span;
    context->id_length = id_length;
    if (id_length > 0) memcpy(context->id, id, id_length);
}

/// Writes what a record says of the request, a multiple of 8 bytes and at most 96; 0: there is
/// none.
static inline uint32_t millrace_log_context_copy(uint8_t *to) {
    const millrace_log_context *context = &millrace_log_self.context;
    if (context->id_length == 0) return 0;
    uint64_t words[4] = {
        context->trace_high, context->trace_low, context->span, context->id_length};
    memcpy(to, words, sizeof words);
    memcpy(to + sizeof words, context->id, context->id_length);
    return (uint32_t)sizeof words + ((context->id_length + 7) & ~7u);
}

/// Nanoseconds since 1970.
static inline uint64_t millrace_log_time(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/// Whether the processor's time stamp counter is the kernel's own clock: then it runs evenly and is
/// the same on all cores. Set by `millrace_log_choose_clock`.
extern int millrace_log_has_counter;
void millrace_log_choose_clock(void);
static inline bool millrace_log_uses_counter(void) { return millrace_log_has_counter; }

/// When something happened, for its thread: the counter, or else nanoseconds since 1970. Reading
/// the counter takes half the time of `clock_gettime`, which is half of a whole record.
static inline uint64_t millrace_log_ticks(void) {
#if defined(__x86_64__)
    if (millrace_log_has_counter) return __builtin_ia32_rdtsc();
#endif
    return millrace_log_time();
}

/// Where the thread may write a record, with `least_free` bytes that follow; NULL if the ring has
/// less, is closed, or a record is being written already.
static inline uint8_t *millrace_log_reserve(millrace_log_ring *ring, uint64_t least_free) {
    if (ring->writing || __atomic_load_n(&ring->closed, __ATOMIC_RELAXED)) return NULL;
    if (ring->capacity - (ring->head - ring->tail_seen) < least_free) {
        ring->tail_seen = millrace_log_load(&ring->tail);
        if (ring->capacity - (ring->head - ring->tail_seen) < least_free) return NULL;
        ring->gave_up = 0;
    }
    ring->writing = 1;
    return ring->bytes + ring->offset;
}

/// Hands the record of `size` bytes, a multiple of 8, to the back end, and wakes it if the ring is
/// half full: it would sleep on otherwise, while the ring fills up in milliseconds.
static inline void millrace_log_publish(
    millrace_log_ring *ring, uint64_t size, uint32_t *sleeping) {
    uint64_t offset = ring->offset + size;
    ring->offset = offset >= ring->capacity ? offset - ring->capacity : offset;
    uint64_t head = ring->head + size;
    __atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
    __atomic_store_n(&ring->writing, 0, __ATOMIC_RELEASE);
    if (head - ring->tail_seen > ring->capacity / 2 &&
        __atomic_load_n(sleeping, __ATOMIC_RELAXED)) {
        ring->tail_seen = millrace_log_load(&ring->tail);
        if (head - ring->tail_seen > ring->capacity / 2) millrace_log_wake(sleeping);
    }
}

/// Ends a record that is not handed over.
static inline void millrace_log_abandon(millrace_log_ring *ring) {
    __atomic_store_n(&ring->writing, 0, __ATOMIC_RELEASE);
}
