// DESIGN. SQLite compiles a statement without asking anybody whether it should go on: neither its
// progress handler nor a deadline ends a compilation that takes gigabytes or a deep recursion. But all
// that grows asks for memory, and SQLite gives up in good order when there is none
// (sqlite.org/malloc.html). So the allocator is where a statement is stopped, whatever it does.
//
// A budget belongs to the thread and counts what is allocated minus what is freed since it began. It
// does not know who allocated what: memory from before, freed now, is added to what may be taken, and
// what others free later was counted all the same. Both are small beside the budget: the page cache of the
// connection and the lists that connections to one file share. A thread without a budget pays for one look
// at a thread-local flag.
//
// Temporary files are counted by a file system of their own, since SQLite has no bound for them.

#define _GNU_SOURCE
#include "CSQLiteBudget.h"
#include <malloc.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct budget {
    bool is_active;
    /// The deadline has passed: it will not come back.
    bool is_late;
    enum millrace_bound met;
    uint32_t calls;
    int64_t used, limit;
    int64_t file_bytes, file_limit;
    /// The stack grows down to here and no further.
    uintptr_t stack_end;
    bool (*should_stop)(void *);
    void *context;
};

// Without initial-exec each access may be a call.
static _Thread_local struct budget current __attribute__((tls_model("initial-exec")));

/// The clock is looked at once in so many calls: SQLite asks for memory about every microsecond.
enum { CALLS_BETWEEN_LOOKS = 32 };
/// SQLite's recursions may take this much, and no more than a quarter of the stack: between two
/// allocations it goes down the trees that it built, with frames a few times as large as those that
/// built them.
enum { STACK_LIMIT = 2 << 20 };

static bool is_late(struct budget *budget) {
    if (!budget->is_late && budget->should_stop(budget->context)) budget->is_late = true;
    if (budget->is_late) budget->met = MILLRACE_BOUND_TIME;
    return budget->is_late;
}

__attribute__((noinline)) static bool refuses(struct budget *budget, int64_t growth) {
    if ((uintptr_t)__builtin_frame_address(0) < budget->stack_end) {
        budget->met = MILLRACE_BOUND_STACK;
        return true;
    }
    if (budget->used + growth > budget->limit) {
        budget->met = MILLRACE_BOUND_MEMORY;
        return true;
    }
    return budget->is_late || (++budget->calls % CALLS_BETWEEN_LOOKS == 0 && is_late(budget));
}

// MARK: Memory

static void *take(int count) {
    struct budget *budget = &current;
    if (__builtin_expect(!budget->is_active, 1)) return malloc((size_t)count);
    if (refuses(budget, count)) return NULL;
    void *place = malloc((size_t)count);
    budget->used += (int64_t)malloc_usable_size(place);
    return place;
}

static void *change(void *place, int count) {
    struct budget *budget = &current;
    if (__builtin_expect(!budget->is_active, 1)) return realloc(place, (size_t)count);
    int64_t before = (int64_t)malloc_usable_size(place);
    if (refuses(budget, count - before)) return NULL;
    void *moved = realloc(place, (size_t)count);
    if (moved) budget->used += (int64_t)malloc_usable_size(moved) - before;
    return moved;
}

static void give_back(void *place) {
    struct budget *budget = &current;
    if (__builtin_expect(budget->is_active, 0)) budget->used -= (int64_t)malloc_usable_size(place);
    free(place);
}

static int size(void *place) { return (int)malloc_usable_size(place); }
static int rounded(int count) { return (count + 7) & ~7; }
static int begin(void *unused) { return SQLITE_OK; }
static void end(void *unused) {}

// MARK: Temporary files

struct counted_file {
    sqlite3_file base;
    sqlite3_int64 bytes;
    /// The file of the default VFS, right after this struct.
    sqlite3_file file[];
};

static sqlite3_file *inner(sqlite3_file *file) { return ((struct counted_file *)file)->file; }

static int counted_close(sqlite3_file *file) {
    if (current.is_active) current.file_bytes -= ((struct counted_file *)file)->bytes;
    return inner(file)->pMethods->xClose(inner(file));
}

static int counted_read(sqlite3_file *file, void *to, int count, sqlite3_int64 at) {
    if (current.is_active && is_late(&current)) return SQLITE_INTERRUPT;
    return inner(file)->pMethods->xRead(inner(file), to, count, at);
}

static int counted_write(sqlite3_file *file, const void *from, int count, sqlite3_int64 at) {
    struct counted_file *counted = (struct counted_file *)file;
    sqlite3_int64 growth = at + count - counted->bytes;
    if (current.is_active) {
        if (is_late(&current)) return SQLITE_INTERRUPT;
        if (growth > 0 && current.file_bytes + growth > current.file_limit) {
            current.met = MILLRACE_BOUND_FILES;
            return SQLITE_FULL;
        }
        if (growth > 0) current.file_bytes += growth;
    }
    if (growth > 0) counted->bytes += growth;
    return inner(file)->pMethods->xWrite(inner(file), from, count, at);
}

static int counted_truncate(sqlite3_file *file, sqlite3_int64 count) {
    struct counted_file *counted = (struct counted_file *)file;
    if (count < counted->bytes) {
        if (current.is_active) current.file_bytes -= counted->bytes - count;
        counted->bytes = count;
    }
    return inner(file)->pMethods->xTruncate(inner(file), count);
}

static int counted_sync(sqlite3_file *file, int flags) {
    return inner(file)->pMethods->xSync(inner(file), flags);
}
static int counted_size(sqlite3_file *file, sqlite3_int64 *count) {
    return inner(file)->pMethods->xFileSize(inner(file), count);
}
static int counted_lock(sqlite3_file *file, int level) {
    return inner(file)->pMethods->xLock(inner(file), level);
}
static int counted_unlock(sqlite3_file *file, int level) {
    return inner(file)->pMethods->xUnlock(inner(file), level);
}
static int counted_check(sqlite3_file *file, int *result) {
    return inner(file)->pMethods->xCheckReservedLock(inner(file), result);
}
static int counted_control(sqlite3_file *file, int operation, void *argument) {
    // A hint to make the file larger at once, which `counted_write` would not see.
    if (operation == SQLITE_FCNTL_SIZE_HINT) return SQLITE_OK;
    return inner(file)->pMethods->xFileControl(inner(file), operation, argument);
}
static int counted_sector(sqlite3_file *file) {
    return inner(file)->pMethods->xSectorSize(inner(file));
}
static int counted_device(sqlite3_file *file) {
    return inner(file)->pMethods->xDeviceCharacteristics(inner(file));
}

// Version 1: without shared memory and without mapping, which temporary files do not need.
static const sqlite3_io_methods counted_methods = {
    .iVersion = 1,
    .xClose = counted_close,
    .xRead = counted_read,
    .xWrite = counted_write,
    .xTruncate = counted_truncate,
    .xSync = counted_sync,
    .xFileSize = counted_size,
    .xLock = counted_lock,
    .xUnlock = counted_unlock,
    .xCheckReservedLock = counted_check,
    .xFileControl = counted_control,
    .xSectorSize = counted_sector,
    .xDeviceCharacteristics = counted_device,
};

static sqlite3_vfs *plain_files;
static sqlite3_vfs counted_files;

static int counted_open(
    sqlite3_vfs *unused, const char *path, sqlite3_file *file, int flags, int *outcome) {
    const int temporary = SQLITE_OPEN_TEMP_DB | SQLITE_OPEN_TRANSIENT_DB |
                          SQLITE_OPEN_TEMP_JOURNAL | SQLITE_OPEN_SUBJOURNAL;
    if (!(flags & temporary)) return plain_files->xOpen(plain_files, path, file, flags, outcome);
    struct counted_file *counted = (struct counted_file *)file;
    memset(counted, 0, sizeof *counted);
    int code = plain_files->xOpen(plain_files, path, inner(file), flags, outcome);
    // SQLite closes a file that has methods, also one that could not be opened.
    if (code == SQLITE_OK) counted->base.pMethods = &counted_methods;
    return code;
}

const char *millrace_sqlite_files(void) { return "millrace"; }

int millrace_sqlite_install(void) {
    static const sqlite3_mem_methods memory = {
        .xMalloc = take,
        .xFree = give_back,
        .xRealloc = change,
        .xSize = size,
        .xRoundup = rounded,
        .xInit = begin,
        .xShutdown = end,
    };
    // Its statistics cost a global mutex in every allocation, and nobody reads them.
    int code = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (code == SQLITE_OK) code = sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
    if (code == SQLITE_OK) code = sqlite3_initialize();
    plain_files = sqlite3_vfs_find(NULL);
    if (code != SQLITE_OK || !plain_files) return code == SQLITE_OK ? SQLITE_ERROR : code;
    counted_files = *plain_files;
    counted_files.pNext = NULL;
    counted_files.zName = millrace_sqlite_files();
    counted_files.szOsFile += (int)sizeof(struct counted_file);
    counted_files.xOpen = counted_open;
    return sqlite3_vfs_register(&counted_files, 0);
}

// MARK: The budget

/// The lowest address that SQLite's recursions may reach on this thread; 0 if nobody knows.
static uintptr_t stack_end(void) {
    static _Thread_local uintptr_t end;
    pthread_attr_t attributes;
    void *lowest;
    size_t count;
    if (end != 0 || pthread_getattr_np(pthread_self(), &attributes) != 0) return end;
    if (pthread_attr_getstack(&attributes, &lowest, &count) == 0) {
        size_t allowed = count / 4 < STACK_LIMIT ? count / 4 : STACK_LIMIT;
        end = (uintptr_t)lowest + count - allowed;
    }
    pthread_attr_destroy(&attributes);
    return end;
}

void millrace_sqlite_budget_begin(
    size_t memory, size_t files, bool (*should_stop)(void *context), void *context) {
    current = (struct budget){
        .limit = (int64_t)memory,
        .file_limit = (int64_t)files,
        .stack_end = stack_end(),
        .should_stop = should_stop,
        .context = context,
    };
    current.is_active = true;
}

void millrace_sqlite_budget_allow(size_t memory) {
    current.limit = (int64_t)memory;
    current.met = current.is_late ? MILLRACE_BOUND_TIME : MILLRACE_BOUND_NONE;
}

enum millrace_bound millrace_sqlite_budget_met(void) { return current.met; }

void millrace_sqlite_budget_end(void) { current = (struct budget){0}; }
