#define _GNU_SOURCE
#include "CLogRing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Thread_local millrace_log_thread millrace_log_self;

int millrace_log_has_counter;

static void look_for_counter(void) {
#if defined(__x86_64__)
    char name[8] = {0};
    int file = open(
        "/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    millrace_log_has_counter = read(file, name, 4) == 4 && memcmp(name, "tsc\n", 4) == 0;
    close(file);
#endif
}

void millrace_log_choose_clock(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look_for_counter);
}

static pthread_key_t thread_end;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;

static void release(millrace_log_ring *ring) {
    if (__atomic_sub_fetch(&ring->references, 1, __ATOMIC_ACQ_REL) > 0) return;
    munmap(ring->bytes, 2 * ring->capacity);
    free(ring);
}

// Runs on the thread that ends; its thread-locals are still there.
static void let_go(void *unused) {
    (void)unused;
    millrace_log_ring *ring = millrace_log_self.rings;
    millrace_log_self.rings = NULL;
    millrace_log_self.ring = NULL;
    millrace_log_self.logger = 0;
    while (ring) {
        millrace_log_ring *next = ring->next;
        __atomic_store_n(&ring->orphaned, 1, __ATOMIC_RELEASE);
        release(ring);
        ring = next;
    }
}

static void make_thread_end(void) { pthread_key_create(&thread_end, let_go); }

// One file without a name, mapped twice in a row.
static uint8_t *map_twice(uint64_t capacity) {
    int file = memfd_create("millrace-log", MFD_CLOEXEC);
    if (file < 0) return NULL;
    uint8_t *bytes = MAP_FAILED;
    if (ftruncate(file, (off_t)capacity) == 0) {
        bytes = mmap(NULL, 2 * capacity, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (bytes != MAP_FAILED) {
        int flags = MAP_SHARED | MAP_FIXED, access = PROT_READ | PROT_WRITE;
        if (mmap(bytes, capacity, access, flags, file, 0) == MAP_FAILED ||
            mmap(bytes + capacity, capacity, access, flags, file, 0) == MAP_FAILED) {
            munmap(bytes, 2 * capacity);
            bytes = MAP_FAILED;
        }
    }
    close(file);
    return bytes == MAP_FAILED ? NULL : bytes;
}

millrace_log_ring *millrace_log_ring_create_shared(uint64_t logger, uint64_t capacity) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    capacity = (capacity + page - 1) / page * page;
    millrace_log_ring *ring = aligned_alloc(64, (sizeof *ring + 63) / 64 * 64);
    if (!ring) return NULL;
    *ring = (millrace_log_ring){.capacity = capacity, .logger = logger, .references = 1};
    ring->bytes = map_twice(capacity);
    if (!ring->bytes) {
        free(ring);
        return NULL;
    }
    return ring;
}

millrace_log_ring *millrace_log_ring_create(uint64_t logger, uint64_t capacity) {
    pthread_once(&thread_end_once, make_thread_end);
    millrace_log_ring *ring = millrace_log_ring_create_shared(logger, capacity);
    if (!ring) return NULL;
    ring->references = 2;
    ring->next = millrace_log_self.rings;
    millrace_log_self.rings = ring;
    millrace_log_self.ring = ring;
    millrace_log_self.logger = logger;
    // The value only has to be another than NULL for the destructor to run.
    pthread_setspecific(thread_end, ring);
    return ring;
}

millrace_log_ring *millrace_log_ring_find(uint64_t logger) {
    millrace_log_ring **place = &millrace_log_self.rings, *found = NULL;
    while (*place) {
        millrace_log_ring *ring = *place;
        if (ring->logger == logger) found = ring;
        if (ring->logger != logger && millrace_log_load32(&ring->closed)) {
            *place = ring->next;
            release(ring);
        } else {
            place = &ring->next;
        }
    }
    millrace_log_self.ring = found;
    millrace_log_self.logger = found ? logger : 0;
    return found;
}

void millrace_log_ring_release(millrace_log_ring *ring) { release(ring); }

void millrace_log_sleep(uint32_t *sleeping, uint64_t nanoseconds) {
    struct timespec time = {
        .tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)};
    syscall(SYS_futex, sleeping, FUTEX_WAIT_PRIVATE, 1, &time, NULL, 0);
    __atomic_store_n(sleeping, 0, __ATOMIC_SEQ_CST);
}

void millrace_log_wake(uint32_t *sleeping) {
    if (__atomic_exchange_n(sleeping, 0, __ATOMIC_SEQ_CST)) {
        syscall(SYS_futex, sleeping, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

static _Thread_local int is_back_end;
static uint32_t *fatal_sleeping, *fatal_request, *fatal_done;
static int fatal_milliseconds;

void millrace_log_is_back_end(void) { is_back_end = 1; }

// Only system calls and lock-free atomics: what POSIX lets a handler do.
static void on_fatal_signal(int number) {
    int saved = errno;
    if (!is_back_end && __atomic_exchange_n(fatal_request, 1, __ATOMIC_SEQ_CST) == 0) {
        millrace_log_wake(fatal_sleeping);
        struct timespec moment = {.tv_nsec = 1000000};
        for (int waited = 0; waited < fatal_milliseconds; waited++) {
            if (__atomic_load_n(fatal_done, __ATOMIC_ACQUIRE)) break;
            nanosleep(&moment, NULL);
        }
    }
    errno = saved;
    // SA_RESETHAND has put the default back. A fault comes again when this returns; this also
    // covers a signal that was sent.
    raise(number);
}

void millrace_log_flush_on_fatal_signal(
    uint32_t *sleeping, uint32_t *request, uint32_t *done, int milliseconds) {
    fatal_sleeping = sleeping;
    fatal_request = request;
    fatal_done = done;
    fatal_milliseconds = milliseconds;
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT};
    for (size_t index = 0; index < sizeof numbers / sizeof *numbers; index++) {
        struct sigaction action = {.sa_handler = on_fatal_signal, .sa_flags = (int)SA_RESETHAND};
        sigemptyset(&action.sa_mask);
        sigaction(numbers[index], &action, NULL);
    }
}
