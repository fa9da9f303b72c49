#include "CSimdJSON.h"

#include <cstring>

namespace {

bool opens(uint8_t c) { return (c | 0x20) == '{'; }   // { and [ differ in bit 5 alone,
bool closes(uint8_t c) { return (c | 0x20) == '}'; }  // and so do } and ].

/// What numbers and the words true, false and null are made of, and more letters than those: the
/// parser says whether it is one of them.
bool belongs_to_scalar(uint8_t c) {
    return uint8_t(c - '0') < 10 || uint8_t((c | 0x20) - 'a') < 26 || c == '-' || c == '+'
        || c == '.';
}

/// The index behind the string whose first quote is at `i`; 0 if it does not end.
size_t skip_string(const char *bytes, size_t count, size_t i) {
    for (i++; i < count;) {
        // Eight bytes at a time (Mycroft's test for a zero byte): text is mostly neither.
        if (i + 8 <= count) {
            constexpr uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
            uint64_t word;
            std::memcpy(&word, bytes + i, 8);
            uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
            uint64_t found = ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
            if ((found & highs) == 0) {
                i += 8;
                continue;
            }
        }
        if (bytes[i] == '"') return i + 1;
        i += bytes[i] == '\\' ? 2 : 1;
    }
    return 0;
}

/// The length of the object or array that `bytes` begins with; 0 if it does not end.
size_t skip_nested(const char *bytes, size_t count) {
    size_t depth = 0;
    for (size_t i = 0; i < count;) {
        uint8_t c = uint8_t(bytes[i]);
        if (c == '"') {
            i = skip_string(bytes, count, i);
            if (i == 0) return 0;
            continue;
        }
        i++;
        if (opens(c)) depth++;
        if (closes(c) && --depth == 0) return i;
    }
    return 0;
}

}  // namespace

size_t millrace_json_skip_value(const char *bytes, size_t count) {
    if (count == 0) return 0;
    if (bytes[0] == '"') return skip_string(bytes, count, 0);
    if (opens(uint8_t(bytes[0]))) return skip_nested(bytes, count);
    size_t i = 0;
    while (i < count && belongs_to_scalar(uint8_t(bytes[i]))) i++;
    return i;
}
