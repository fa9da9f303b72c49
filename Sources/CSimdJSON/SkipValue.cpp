#include "CSimdJSON.h"

#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace {

/// { and [ differ in bit 5 alone, and so do } and ].
bool opens(uint8_t c) { return (c | 0x20) == '{'; }

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

/// Which of 64 bytes are what; bit 0 is the first.
struct Block {
    uint64_t quote, backslash, open, close;
};

#if defined(__SSE2__)
uint64_t equal_bits(const __m128i *bytes, char wanted, char ignored_bits) {
    uint64_t bits = 0;
    for (int i = 0; i < 4; i++) {
        __m128i masked = _mm_or_si128(bytes[i], _mm_set1_epi8(ignored_bits));
        __m128i equal = _mm_cmpeq_epi8(masked, _mm_set1_epi8(wanted));
        bits |= uint64_t(uint32_t(_mm_movemask_epi8(equal))) << (16 * i);
    }
    return bits;
}

Block classify(const char *bytes) {
    __m128i lanes[4];
    std::memcpy(lanes, bytes, sizeof lanes);
    return {equal_bits(lanes, '"', 0), equal_bits(lanes, '\\', 0), equal_bits(lanes, '{', 0x20),
            equal_bits(lanes, '}', 0x20)};
}
#else
bool closes(uint8_t c) { return (c | 0x20) == '}'; }

Block classify(const char *bytes) {
    Block block{};
    for (int i = 0; i < 64; i++) {
        uint8_t c = uint8_t(bytes[i]);
        block.quote |= uint64_t(c == '"') << i;
        block.backslash |= uint64_t(c == '\\') << i;
        block.open |= uint64_t(opens(c)) << i;
        block.close |= uint64_t(closes(c)) << i;
    }
    return block;
}
#endif

/// Walks blocks of 64 bytes and hides what lies in strings, without a branch for each quote: a
/// mispredicted one costs as much as a block. As in Langdale and Lemire, "Parsing Gigabytes of
/// JSON per Second", section 3.1.
class Strings {
public:
    /// Takes the brackets out of `block` that are text.
    void hide(Block &block) {
        uint64_t quote = block.quote & ~escaped(block.backslash);
        uint64_t inside = quote;
        for (int shift = 1; shift < 64; shift *= 2) inside ^= inside << shift;
        inside ^= is_inside;
        is_inside = uint64_t(int64_t(inside) >> 63);
        block.open &= ~inside;
        block.close &= ~inside;
    }

private:
    /// The bytes behind an odd number of backslashes.
    uint64_t escaped(uint64_t backslash) {
        if (backslash == 0) {
            uint64_t carried = is_escaped;
            is_escaped = 0;
            return carried;
        }
        constexpr uint64_t even = 0x5555555555555555;
        backslash &= ~is_escaped;
        uint64_t follows = backslash << 1 | is_escaped;
        uint64_t odd_starts = backslash & ~even & ~follows;
        unsigned long long even_runs;
        is_escaped = __builtin_uaddll_overflow(odd_starts, backslash, &even_runs);
        return (even ^ (uint64_t(even_runs) << 1)) & follows;
    }

    uint64_t is_inside = 0;   // all ones if the block before ended in a string
    uint64_t is_escaped = 0;  // one if it ended in an open escape
};

/// Where in `block` the last open bracket closes: 1 to 64; 0 if it stays open. Changes `depth`.
size_t find_close(const Block &block, size_t &depth) {
    size_t closing = size_t(__builtin_popcountll(block.close));
    if (depth > closing) {
        depth += size_t(__builtin_popcountll(block.open)) - closing;
        return 0;
    }
    for (uint64_t rest = block.open | block.close; rest != 0; rest &= rest - 1) {
        uint64_t lowest = rest & (0 - rest);
        if (block.open & lowest) {
            depth++;
        } else if (--depth == 0) {
            return size_t(__builtin_ctzll(rest)) + 1;
        }
    }
    return 0;
}

/// The length of the object or array that `bytes` begins with; 0 if it does not end.
size_t skip_nested(const char *bytes, size_t count) {
    Strings strings;
    size_t depth = 0;
    for (size_t start = 0; start < count; start += 64) {
        // Nothing behind `count` is read; zeros stand for it.
        char tail[64] = {};
        bool is_tail = count - start < sizeof tail;
        if (is_tail) std::memcpy(tail, bytes + start, count - start);
        Block block = classify(is_tail ? tail : bytes + start);
        strings.hide(block);
        if (size_t end = find_close(block, depth)) return start + end;
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
