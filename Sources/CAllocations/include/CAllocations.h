#pragma once
#include <stdbool.h>
#include <stdint.h>

/// How often the calling thread has asked for memory since it began: malloc, calloc, realloc,
/// aligned_alloc, memalign and posix_memalign, whoever called them.
uint64_t millrace_allocations(void);

/// Whether this build counts at all.
bool millrace_allocations_are_counted(void);
