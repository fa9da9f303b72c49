#include "CRE2.h"

#include <re2/re2.h>

#include <cstring>
#include <new>

struct millrace_re2 {
    re2::RE2 pattern;
    millrace_re2(re2::StringPiece text, const re2::RE2::Options &options)
        : pattern(text, options) {}
};

extern "C" {

millrace_re2 *millrace_re2_create(
    const char *pattern, size_t count, char *message, size_t message_count) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(8 << 20);
    auto made = new (std::nothrow) millrace_re2(re2::StringPiece(pattern, count), options);
    if (made == nullptr) {
        std::strncpy(message, "out of memory", message_count - 1);
        return nullptr;
    }
    if (!made->pattern.ok()) {
        std::strncpy(message, made->pattern.error().c_str(), message_count - 1);
        delete made;
        return nullptr;
    }
    return made;
}

void millrace_re2_free(millrace_re2 *pattern) { delete pattern; }

bool millrace_re2_matches_empty(const millrace_re2 *pattern) {
    return re2::RE2::FullMatch("", pattern->pattern);
}

bool millrace_re2_find(
    const millrace_re2 *pattern, const uint8_t *text, size_t count, size_t from, size_t *start,
    size_t *end) {
    re2::StringPiece input(reinterpret_cast<const char *>(text), count);
    re2::StringPiece match;
    if (!pattern->pattern.Match(input, from, count, re2::RE2::UNANCHORED, &match, 1)) return false;
    *start = static_cast<size_t>(match.data() - input.data());
    *end = *start + match.size();
    return true;
}
}
