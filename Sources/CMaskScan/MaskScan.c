#include "CMaskScan.h"

#include <stdlib.h>
#include <string.h>

// What a byte may be, as bits.
enum {
    DIGIT = 1, HEX = 2, UPPER = 4, LOWER = 8,
    LETTER = UPPER | LOWER,
    ALNUM = LETTER | DIGIT,
    NAME = 16,       // of the name before `=` or `:`
    SEPARATOR = 32,  // between the groups of a telephone number
};

// Why to look closer at a byte.
enum { PLAIN, RUN, ALWAYS, COLON, EQUALS, JWT, KEY_ID, MARK, HYPHEN, SCHEME, PERCENT, ESCAPE, FOLD };

enum { SLOTS = 512, NAME_LIMIT = 64, CONTEXT_BYTES = 30, AUTHORITY_LIMIT = 256 };

// The same as in `Scanner`: spaces between a name and its sign, backslashes before a quote.
enum { SPACE_LIMIT = 16, BACKSLASH_LIMIT = 4095 };

// Up to 16 small letters, the first in the lowest byte.
typedef struct {
    uint64_t low, high;
} word;

typedef struct {
    word letters;
    uint8_t meaning;
} slot;

struct millrace_mask_tables {
    uint8_t kinds[256];
    uint8_t classes[256];
    // Pairs of ASCII bytes that stand before the mark of a prefix.
    uint8_t pairs[128 * 128 / 8];
    // By the first letter: a bit for each length that a word has.
    uint32_t lengths[26];
    slot words[SLOTS];
};

typedef struct {
    const millrace_mask_tables *tables;
    const uint8_t *base;
    size_t count;
    bool is_json;
    bool is_folded;
    bool has_doubt;
} scan;

// MARK: Tables

static size_t slot_of(word letters) {
    uint64_t hash = (letters.low ^ (letters.high << 31 | letters.high >> 33)) * 0x9E3779B97F4A7C15u;
    return hash >> 55;
}

// `count` letters make the word.
static inline uint8_t meaning_of(const millrace_mask_tables *tables, word letters, size_t count) {
    uint32_t lengths = tables->lengths[((letters.low & 0xFF) - 'a') % 26];
    if (count > 16 || !(lengths >> count & 1)) return 0;
    for (size_t at = slot_of(letters);; at = (at + 1) % SLOTS) {
        const slot *found = &tables->words[at];
        if (found->meaning == 0) return 0;
        if (found->letters.low == letters.low && found->letters.high == letters.high) {
            return found->meaning;
        }
    }
}

// Puts a letter before the first one. More than 16 letters lose their last.
static inline word before(word letters, uint8_t letter) {
    return (word){letters.low << 8 | letter, letters.high << 8 | letters.low >> 56};
}

static void set_kinds(uint8_t *kinds) {
    for (int byte = '0'; byte <= '9'; byte++) kinds[byte] = RUN;
    kinds['@'] = ALWAYS;
    kinds[':'] = COLON;
    kinds['='] = EQUALS;
    kinds['J'] = JWT;
    kinds['I'] = KEY_ID;
    kinds['_'] = kinds['.'] = MARK;
    kinds['-'] = HYPHEN;
    kinds['B'] = kinds['b'] = SCHEME;
    kinds['%'] = PERCENT;
    kinds['\\'] = ESCAPE;
    kinds[0xC2] = kinds[0xE2] = kinds[0xEF] = FOLD;
}

millrace_mask_tables *millrace_mask_tables_create(void) {
    millrace_mask_tables *tables = calloc(1, sizeof *tables);
    if (tables == NULL) return NULL;
    set_kinds(tables->kinds);
    for (int byte = 0; byte < 128; byte++) {
        uint8_t is = 0;
        if (byte >= '0' && byte <= '9') is |= DIGIT | HEX | NAME;
        if (byte >= 'A' && byte <= 'Z') is |= UPPER | NAME;
        if (byte >= 'a' && byte <= 'z') is |= LOWER | NAME;
        if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f') is |= HEX;
        if (byte != 0 && strchr("-_.[]", byte)) is |= NAME;
        if (byte != 0 && strchr(" -.()/", byte)) is |= SEPARATOR;
        tables->classes[byte] = is;
    }
    return tables;
}

void millrace_mask_add_word(
    millrace_mask_tables *tables, const char *text, size_t count, uint8_t meaning) {
    word letters = {0, 0};
    for (size_t index = count; index > 0; index--) letters = before(letters, text[index - 1]);
    if (count == 0 || count > 16) return;
    size_t at = slot_of(letters);
    while (tables->words[at].meaning != 0
           && memcmp(&tables->words[at].letters, &letters, sizeof letters) != 0) {
        at = (at + 1) % SLOTS;
    }
    tables->words[at].letters = letters;
    tables->words[at].meaning |= meaning;
    tables->lengths[text[0] - 'a'] |= 1u << count;
}

static size_t pair_of(uint8_t first, uint8_t second) { return (size_t)first << 7 | second; }

void millrace_mask_add_prefix(millrace_mask_tables *tables, const char *prefix, size_t count) {
    if (count < 3) return;
    size_t pair = pair_of(prefix[count - 3], prefix[count - 2]);
    tables->pairs[pair / 8] |= 1 << pair % 8;
}

// MARK: Bytes, zero outside of the text

static inline uint8_t at(const scan *scan, ptrdiff_t index) {
    return index >= 0 && (size_t)index < scan->count ? scan->base[index] : 0;
}

static inline bool is(const scan *scan, ptrdiff_t index, uint8_t set) {
    return (scan->tables->classes[at(scan, index)] & set) != 0;
}

static inline size_t run_of(const scan *scan, ptrdiff_t index, uint8_t set, size_t limit) {
    size_t length = 0;
    while (length < limit && is(scan, index + (ptrdiff_t)length, set)) length++;
    return length;
}

static inline bool has(const scan *scan, ptrdiff_t index, const char *text, size_t count) {
    return index >= 0 && (size_t)index + count <= scan->count
        && memcmp(scan->base + index, text, count) == 0;
}

// MARK: Names and words

// A word of a name is complete. A `key` counts if another word stands before it.
static inline void judge_word(
    const scan *scan, word letters, size_t count, uint8_t *found, bool *has_later_key) {
    if (count == 0) return;
    if (*has_later_key) *found |= MILLRACE_WORD_SECRET;
    uint8_t meaning = meaning_of(scan->tables, letters, count);
    *found |= meaning;
    *has_later_key = meaning & MILLRACE_WORD_KEY;
}

// Whether the name that ends before `end` is one word of at most seven small letters, as most are, and
// which: eight bytes at once. There are eight bytes before `end`.
static inline bool is_short_word(
    const scan *scan, ptrdiff_t end, word *letters, size_t *count) {
    const uint64_t ones = 0x0101010101010101u;
    uint64_t bytes = 0;
    for (int place = 0; place < 8; place++) {
        bytes |= (uint64_t)scan->base[end - 8 + place] << 8 * place;
    }
    uint64_t low = bytes & 0x7F * ones;
    // The highest bit of each byte that is a letter from `a` to `z`.
    uint64_t small = (low + (0x80 - 'a') * ones) & ~(low + (0x7F - 'z') * ones) & ~bytes;
    uint64_t other = ~small & 0x80 * ones;
    if (other == 0) return false;
    *count = (size_t)__builtin_clzll(other) / 8;
    if (*count == 0) return false;
    *letters = (word){bytes >> 8 * (8 - *count), 0};
    return !(scan->tables->classes[scan->base[end - 1 - (ptrdiff_t)*count]] & NAME);
}

// Reads the words of the name that ends before `end`, from its end on, as `SecretName` splits them.
// Returns whether it may be a secret's; `start` is where the name begins. A bracket within it ends
// something else, and a shorter name is judged then.
static bool judge_name(const scan *scan, ptrdiff_t end, ptrdiff_t least, ptrdiff_t *start) {
    const uint8_t *classes = scan->tables->classes;
    const uint8_t *base = scan->base;
    word letters = {0, 0};
    size_t count = 0;
    uint8_t found = 0;
    bool has_later_key = false;
    bool has_bracket = false;
    ptrdiff_t index = end;
    if (end - least >= 8 && is_short_word(scan, end, &letters, &count)) {
        index = end - (ptrdiff_t)count;
        least = index;
    } else {
        letters = (word){0, 0};
        count = 0;
    }
    while (index > least) {
        uint8_t byte = base[index - 1];
        uint8_t class = classes[byte];
        if (!(class & NAME)) break;
        index--;
        if (class & LOWER) {
            letters = before(letters, byte);
            count++;
            continue;
        }
        if (class & DIGIT) continue;
        if (byte == ']') has_bracket = true;
        bool is_end = true;
        if (class & UPPER) {
            letters = before(letters, byte | 0x20);
            count++;
            uint8_t earlier = index > least ? classes[base[index - 1]] : 0;
            is_end = earlier & LOWER
                || (earlier & UPPER && index + 1 < end && classes[base[index + 1]] & LOWER);
        }
        if (!is_end) continue;
        judge_word(scan, letters, count, &found, &has_later_key);
        letters = (word){0, 0};
        count = 0;
    }
    judge_word(scan, letters, count, &found, &has_later_key);
    *start = index;
    if (has_bracket) return true;
    if (found == 0) return false;
    if (found & MILLRACE_WORD_SECRET) return true;
    uint8_t first = at(scan, index - 1);
    bool is_in_url = first == '?' || first == '&' || first == ';';
    return is_in_url && found & (MILLRACE_WORD_KEY | MILLRACE_WORD_URL);
}

bool millrace_mask_may_be_secret(
    const millrace_mask_tables *tables, const uint8_t *name, size_t count) {
    scan whole = {.tables = tables, .base = name, .count = count};
    ptrdiff_t start = 0;
    ptrdiff_t least = count > NAME_LIMIT ? (ptrdiff_t)count - NAME_LIMIT : 0;
    if (judge_name(&whole, count, least, &start)) return true;
    // Bytes that no name has separate words as well; such names are rare.
    return start > least;
}

bool millrace_mask_has_word(
    const millrace_mask_tables *tables, const uint8_t *base, size_t count, size_t index,
    uint8_t meaning) {
    scan text = {.tables = tables, .base = base, .count = count};
    ptrdiff_t least = index > CONTEXT_BYTES ? (ptrdiff_t)index - CONTEXT_BYTES : 0;
    ptrdiff_t start = least;
    while (start < (ptrdiff_t)index) {
        if (!is(&text, start, LETTER)) {
            start++;
            continue;
        }
        size_t length = run_of(&text, start, LETTER, 64);
        bool is_cut = is(&text, start - 1, LETTER) || at(&text, start - 1) == '[';
        if (!is_cut && length <= 16) {
            word letters = {0, 0};
            for (size_t offset = length; offset > 0; offset--) {
                letters = before(letters, base[start + offset - 1] | 0x20);
            }
            if (meaning_of(tables, letters, length) & meaning) return true;
        }
        start += length;
    }
    return false;
}

// MARK: Checks that a byte is an ordinary one

// How many backslashes end before `end`.
static ptrdiff_t run_of_backslashes(const scan *scan, ptrdiff_t end) {
    ptrdiff_t count = 0;
    while (count < BACKSLASH_LIMIT && at(scan, end - 1 - count) == '\\') count++;
    return count;
}

// Whether an assignment to a secret name may stand at `sign`.
static bool may_assign(const scan *scan, ptrdiff_t sign) {
    ptrdiff_t end = sign;
    uint8_t quote = at(scan, end - 1);
    if (quote <= ' ') {
        while (sign - end < SPACE_LIMIT && at(scan, end - 1) == ' ') end--;
        quote = at(scan, end - 1);
        // Between a member's name and its colon any white space may stand.
        if (scan->is_json && end > 0 && quote <= ' ') return true;
    }
    if (quote == '"' || quote == '\'') {
        end--;
        if (at(scan, end - 1) == '\\') end -= run_of_backslashes(scan, end);
    }
    ptrdiff_t least = end > NAME_LIMIT ? end - NAME_LIMIT : 0;
    ptrdiff_t start = end;
    if (end > 0 && judge_name(scan, end, least, &start)) return true;
    // A member's name has words that are not seen from here.
    return scan->is_json && quote == '"' && at(scan, start - 1) != '"';
}

// Whether an IPv6 address may have its first colon here: it has eight groups or a `::`.
static bool may_be_ipv6(const scan *scan, ptrdiff_t colon) {
    uint8_t next = at(scan, colon + 1);
    if (next != ':' && !is(scan, colon + 1, HEX)) return false;
    ptrdiff_t start = colon;
    while (colon - start < 5 && is(scan, start - 1, HEX)) start--;
    if (colon - start > 4 || is(scan, start - 1, ALNUM)) return false;
    if (next == ':') return true;
    ptrdiff_t index = colon;
    for (int groups = 1; at(scan, index) == ':'; groups++) {
        if (at(scan, index + 1) == ':' || groups >= 6) return true;
        size_t digits = run_of(scan, index + 1, HEX, 5);
        if (digits == 0 || digits > 4) return false;
        index += 1 + (ptrdiff_t)digits;
    }
    return false;
}

// `colon` is followed by two slashes. Where there is no user before the host, `next` is behind them.
static bool may_be_userinfo(const scan *scan, ptrdiff_t colon, size_t *next) {
    *next = (size_t)colon + 3;
    // Which of its slashes and spaces were escaped is not seen from here.
    if (scan->is_folded) return true;
    for (size_t index = *next; index < scan->count && index - *next < AUTHORITY_LIMIT; index++) {
        uint8_t byte = scan->base[index];
        if (byte == '@') return true;
        if (byte <= ' ' || byte == '/' || byte == '?' || byte == '#' || byte == '"' || byte == '<'
            || byte == '\'') {
            return false;
        }
    }
    return true;
}

static bool may_be_mark(const scan *scan, ptrdiff_t index) {
    if (index < 2 || (scan->base[index - 1] | scan->base[index - 2]) >= 0x80) return false;
    size_t pair = pair_of(scan->base[index - 2], scan->base[index - 1]);
    return scan->tables->pairs[pair / 8] >> pair % 8 & 1;
}

static bool may_be_scheme(const scan *scan, ptrdiff_t index) {
    uint8_t second = at(scan, index + 1) | 0x20;
    uint8_t third = at(scan, index + 2) | 0x20;
    return (second == 'e' && third == 'a') || (second == 'a' && third == 's');
}

static bool may_hide(const scan *scan, ptrdiff_t index) {
    uint8_t second = at(scan, index + 1);
    uint8_t third = at(scan, index + 2);
    switch (scan->base[index]) {
    case 0xC2: return second == 0xAD;
    case 0xE2:
        return (second == 0x80 && third >= 0x8B && third <= 0x8F) || (second == 0x81 && third == 0xA0);
    default: return (second == 0xBB && third == 0xBF) || second == 0xBC || second == 0xBD;
    }
}

// MARK: Digits

// Whether a number with a telephone's digits in groups may begin with this run.
static bool may_be_phone_by_context(scan *scan, ptrdiff_t start, ptrdiff_t end) {
    uint8_t earlier = at(scan, start - 1);
    if (!(earlier <= ' ' || earlier == '(' || earlier == ':' || earlier == '"' || earlier == '=')) {
        return false;
    }
    if (earlier == ':' && is(scan, start - 2, DIGIT)) return false;
    if (!is(scan, end, SEPARATOR)) return false;
    size_t digits = (size_t)(end - start);
    ptrdiff_t index = end;
    for (int group = 2; digits < 7; group++) {
        size_t separators = run_of(scan, index, SEPARATOR, 2);
        size_t length = run_of(scan, index + (ptrdiff_t)separators, DIGIT, 16);
        if (separators == 0 || length == 0) return false;
        // A date.
        if (group == 2 && end - start == 4 && length == 2) return false;
        digits += length;
        index += (ptrdiff_t)(separators + length);
    }
    if (millrace_mask_has_word(
            scan->tables, scan->base, scan->count, (size_t)start, MILLRACE_WORD_PHONE)) {
        return true;
    }
    scan->has_doubt = true;
    return false;
}

static bool may_be_ipv4(const scan *scan, ptrdiff_t end) {
    ptrdiff_t index = end;
    for (int group = 0; group < 3; group++) {
        if (at(scan, index) != '.') return false;
        size_t digits = run_of(scan, index + 1, DIGIT, 4);
        if (digits == 0 || digits > 3) return false;
        index += 1 + (ptrdiff_t)digits;
    }
    return true;
}

// A run of three digits: of a social security number, or a telephone's area.
static bool may_be_triple(const scan *scan, ptrdiff_t start) {
    uint8_t after = at(scan, start + 3);
    if (after == ')') return at(scan, start - 1) == '(';
    if (after != '-' && after != '.' && after != ' ') return false;
    size_t digits = run_of(scan, start + 4, DIGIT, 4);
    return (after == '-' && digits == 2) || (digits == 3 && run_of(scan, start + 8, DIGIT, 5) == 4);
}

// Whether a check has to look at the run of digits from `start` to `*next`; if not, `*next` is where to
// go on. Nothing begins within a word, so the rest of one that holds the digits is passed over.
static bool may_be_number(scan *scan, ptrdiff_t start, size_t *next) {
    uint8_t earlier = at(scan, start - 1);
    ptrdiff_t end = (ptrdiff_t)*next;
    ptrdiff_t length = end - start;
    if (earlier == '+' || (earlier == '(' && at(scan, start - 2) == '+')) return true;
    uint8_t after = at(scan, end);
    bool is_after_letter = is(scan, start - 1, LETTER);
    if (is_after_letter || scan->tables->classes[after] & LETTER) {
        bool is_iban = is_after_letter && length >= 2 && is(scan, start - 1, UPPER)
            && is(scan, start - 2, UPPER) && !is(scan, start - 3, ALNUM);
        if (is_iban) return true;
        while (*next < scan->count && scan->tables->classes[scan->base[*next]] & ALNUM) ++*next;
        return false;
    }
    if (earlier == '_') return false;
    bool begins_card = scan->base[start] >= '2' && scan->base[start] <= '6';
    if (length <= 3 && after == '.' && may_be_ipv4(scan, end)) return true;
    if (length == 3 && may_be_triple(scan, start)) return true;
    if (length == 1) {
        bool is_trunk = scan->base[start] == '1' && (after == '-' || after == '.')
            && run_of(scan, start + 2, DIGIT, 4) == 3;
        if (is_trunk) return true;
    }
    if (length >= 12) return length <= 19 && begins_card;
    if (length == 4 && begins_card && (after == ' ' || after == '-')
        && run_of(scan, end + 1, DIGIT, 4) == 4) {
        return true;
    }
    return length <= 5 && may_be_phone_by_context(scan, start, end);
}

// MARK: The loop

// Whether a check has to look at `index`; if not, `next` is where to go on.
static bool may_match(scan *scan, uint8_t kind, size_t index, size_t *next) {
    ptrdiff_t here = (ptrdiff_t)index;
    *next = index + 1;
    switch (kind) {
    case RUN: {
        size_t end = index + 1;
        while (end < scan->count && scan->tables->classes[scan->base[end]] & DIGIT) end++;
        *next = end;
        return may_be_number(scan, here, next);
    }
    case COLON:
        if (at(scan, here + 1) == '/' && at(scan, here + 2) == '/') {
            return may_be_userinfo(scan, here, next);
        }
        return may_be_ipv6(scan, here) || may_assign(scan, here);
    case EQUALS: return may_assign(scan, here);
    case JWT: return has(scan, here - 2, "ey", 2);
    case KEY_ID: return at(scan, here - 1) == 'A' || at(scan, here + 1) == 'A';
    case MARK: return may_be_mark(scan, here);
    case HYPHEN:
        return at(scan, here + 1) == '-' ? has(scan, here, "-----BEGIN ", 11) || may_be_mark(scan, here)
                                         : may_be_mark(scan, here);
    case SCHEME: return !is(scan, here - 1, ALNUM) && may_be_scheme(scan, here);
    case PERCENT: return is(scan, here + 1, HEX) && is(scan, here + 2, HEX);
    case ESCAPE: return scan->is_json || at(scan, here + 1) == 'u';
    case FOLD: return may_hide(scan, here);
    default: return true;
    }
}

size_t millrace_mask_next(
    const millrace_mask_tables *tables, const uint8_t *base, size_t count, size_t from,
    bool is_json, bool is_folded, bool *has_doubt) {
    scan scan = {tables, base, count, is_json, is_folded, false};
    const uint8_t *kinds = tables->kinds;
    size_t index = from;
    while (index < count) {
        while (index + 4 <= count
               && (kinds[base[index]] | kinds[base[index + 1]] | kinds[base[index + 2]]
                   | kinds[base[index + 3]]) == PLAIN) {
            index += 4;
        }
        if (index == count) break;
        uint8_t kind = kinds[base[index]];
        if (kind == PLAIN) {
            index++;
            continue;
        }
        size_t next;
        if (may_match(&scan, kind, index, &next)) break;
        index = next;
    }
    if (scan.has_doubt) *has_doubt = true;
    return index < count ? index : count;
}
