#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// RE2 is C++ and Swift rooms build without C++ interoperability, so this is all of it that they see.
// RE2 matches in linear time and within a bound of memory, so an operator's pattern cannot hang.

typedef struct millrace_re2 millrace_re2;

/// Compiles a pattern, at most 8 MiB of program. NULL: it is not understood, and `message` says why.
/// The caller frees the result with `millrace_re2_free`.
millrace_re2 *millrace_re2_create(
    const char *pattern, size_t count, char *message, size_t message_count);
void millrace_re2_free(millrace_re2 *pattern);
/// Whether it matches the empty text.
bool millrace_re2_matches_empty(const millrace_re2 *pattern);
/// Finds the leftmost match in `text[from, count)`; what stands before `from` is seen by `\b` and `^`.
/// `start` and `end` count from the start of `text`. Any thread.
bool millrace_re2_find(
    const millrace_re2 *pattern, const uint8_t *text, size_t count, size_t from, size_t *start,
    size_t *end);

#ifdef __cplusplus
}
#endif
