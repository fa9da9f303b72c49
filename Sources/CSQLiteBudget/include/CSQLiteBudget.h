#pragma once
#include <stdbool.h>
#include <stddef.h>

/// Has SQLite take its memory through this, and makes the file system `millrace_sqlite_files`.
/// Call once, before the first connection. Returns an SQLite result code.
int millrace_sqlite_install(void);

/// The name of a file system (sqlite.org/vfs.html) that counts temporary files towards the budget of
/// the thread; others are those of the default one.
const char *millrace_sqlite_files(void);

/// Which bound a budget has met.
enum millrace_bound {
    MILLRACE_BOUND_NONE,
    MILLRACE_BOUND_MEMORY,
    /// The deadline passed, or nobody waits any more.
    MILLRACE_BOUND_TIME,
    MILLRACE_BOUND_STACK,
    MILLRACE_BOUND_FILES,
};

/// From now on SQLite gets no more than `memory` bytes on this thread, no memory at all once the
/// stack is too deep or `should_stop` says so, and temporary files of no more than `files` bytes.
/// A budget must not begin within another one.
void millrace_sqlite_budget_begin(
    size_t memory, size_t files, bool (*should_stop)(void *context), void *context);

/// Changes how many bytes SQLite may have, those that it has included, and forgets which bound was met.
void millrace_sqlite_budget_allow(size_t memory);

/// The bound that was met last.
enum millrace_bound millrace_sqlite_budget_met(void);

void millrace_sqlite_budget_end(void);
