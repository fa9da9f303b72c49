// Exceptions never reach C: simdjson is used through its error codes, and what the standard
// library throws without memory becomes `too_large`.
#include "CSimdJSON.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>
#include <vector>

using namespace simdjson;

struct millrace_json_parser {
    dom::parser parser;
    size_t max_depth;
    std::vector<millrace_json_member> members;
    std::vector<millrace_json_node> nodes;
    std::vector<uint32_t> order;
    std::vector<char> rewritten;  // a text whose larger integers are written as doubles
};

namespace {

constexpr size_t smallest_capacity = 1024;
/// Up to this many members are compared in pairs; more are sorted, or one event of 40,000 members
/// would cost a thousand million comparisons.
constexpr size_t pairwise_limit = 16;

bool is_space(uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool opens(uint8_t c) { return (c | 0x20) == '{'; }   // { and [ differ in bit 5 alone,
bool closes(uint8_t c) { return (c | 0x20) == '}'; }  // and so do } and ].

millrace_json_status status(error_code error) {
    switch (error) {
    case SUCCESS: return millrace_json_ok;
    case EMPTY: return millrace_json_empty;
    case UTF8_ERROR: return millrace_json_not_utf8;
    case DEPTH_ERROR: return millrace_json_too_deep;
    case NUMBER_ERROR: return millrace_json_bad_number;
    case CAPACITY:
    case MEMALLOC: return millrace_json_too_large;
    default: return millrace_json_invalid;
    }
}

/// Grows in doubling steps, so that texts of rising size do not allocate each time.
error_code reserve(millrace_json_parser &p, size_t count) {
    size_t have = p.parser.capacity();
    if (count <= have) return SUCCESS;
    size_t limit = p.parser.max_capacity();
    if (count > limit) return CAPACITY;
    size_t wanted = std::min(limit, std::max(count, std::max(smallest_capacity, 2 * have)));
    // simdjson lets an empty container stand one level deeper than a value; `max_depth + 1` lets
    // every text through that is allowed, and the walk over the result is exact.
    error_code error = p.parser.allocate(wanted, p.max_depth + 1);
    return error ? error : p.parser.doc.allocate(wanted);
}

bool is_digit(char c) { return uint8_t(c - '0') < 10; }

/// An integer that begins at `start` and is too large for simdjson becomes, in as many bytes, the
/// double nearest to it: `18446744073709551616` is written as `18446744073709552e03`. Seventeen
/// digits tell every double.
/// - Returns: whether it did.
bool rewrite_integer(char *start, const char *limit) {
    char *digits = start + (*start == '-');
    char *end = digits;
    while (end < limit && is_digit(*end)) end++;
    bool goes_on = end < limit && (*end == '.' || *end == 'e' || *end == 'E');
    if (end - digits < 19 || *digits == '0' || goes_on) return false;
    uint64_t natural;
    bool fits = std::from_chars(digits, end, natural).ec == std::errc();
    if (fits && (digits == start || natural <= uint64_t(1) << 63)) return false;
    double value;
    if (std::from_chars(digits, end, value).ec != std::errc()) return false;
    // d.dddddddddddddddde+xx; without the point the exponent is 16 less, and still 2 or more.
    char text[32];
    char *text_end =
        std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, 16).ptr;
    int exponent = 0;
    std::from_chars(text + 20, text_end, exponent);
    exponent -= 16;
    digits[0] = text[0];
    std::memcpy(digits + 1, text + 2, 16);
    digits[17] = 'e';
    for (char *place = end; place-- > digits + 18; exponent /= 10) *place = char('0' + exponent % 10);
    return true;
}

/// JSON sets integers no limit, but simdjson refuses those beyond 64 bits. They stand where stage 1
/// has found scalars, and keep their length, so all that points into the text holds.
/// - Returns: whether there were any.
bool rewrite_integers(millrace_json_parser &p, const char *bytes, size_t count) {
    p.rewritten.assign(bytes, bytes + count);
    p.rewritten.resize(count + SIMDJSON_PADDING);
    const auto &stage1 = *p.parser.implementation;
    bool is_any = false;
    for (uint32_t i = 0; i < stage1.n_structural_indexes; i++) {
        size_t index = stage1.structural_indexes[i];
        if (index >= count) break;
        char *start = p.rewritten.data() + index;
        if (*start != '-' && !is_digit(*start)) continue;
        is_any |= rewrite_integer(start, p.rewritten.data() + count);
    }
    return is_any;
}

millrace_json_status parse(
    millrace_json_parser &p, const char *bytes, size_t count, dom::element &root) {
    if (count == 0) return millrace_json_empty;
    error_code error = reserve(p, count);
    if (!error) error = p.parser.parse(bytes, count, false).get(root);
    if (error == NUMBER_ERROR && rewrite_integers(p, bytes, count))
        error = p.parser.parse(p.rewritten.data(), count, false).get(root);
    return status(error);
}

millrace_json_kind kind_of(dom::element value) {
    switch (value.type()) {
    case dom::element_type::ARRAY: return millrace_json_array;
    case dom::element_type::OBJECT: return millrace_json_object;
    case dom::element_type::INT64: return millrace_json_integer;
    case dom::element_type::UINT64: return millrace_json_unsigned;
    case dom::element_type::DOUBLE: return millrace_json_double;
    case dom::element_type::STRING: return millrace_json_string;
    case dom::element_type::BOOL:
        return value.get_bool().value_unsafe() ? millrace_json_true : millrace_json_false;
    default: return millrace_json_null;
    }
}

bool same_key(const millrace_json_member &a, const millrace_json_member &b) {
    return a.key_bytes == b.key_bytes && std::memcmp(a.key, b.key, a.key_bytes) == 0;
}

bool has_duplicate(millrace_json_parser &p) {
    const auto &members = p.members;
    if (members.size() <= pairwise_limit) {
        for (size_t i = 1; i < members.size(); i++)
            for (size_t j = 0; j < i; j++)
                if (same_key(members[i], members[j])) return true;
        return false;
    }
    p.order.resize(members.size());
    for (uint32_t i = 0; i < p.order.size(); i++) p.order[i] = i;
    std::sort(p.order.begin(), p.order.end(), [&](uint32_t a, uint32_t b) {
        const auto &x = members[a], &y = members[b];
        if (x.key_bytes != y.key_bytes) return x.key_bytes < y.key_bytes;
        return std::memcmp(x.key, y.key, x.key_bytes) < 0;
    });
    return std::adjacent_find(p.order.begin(), p.order.end(), [&](uint32_t a, uint32_t b) {
               return same_key(members[a], members[b]);
           }) != p.order.end();
}

/// Walks the structural characters that stage 1 left behind. The DOM knows values but not where
/// they stood; those indexes know where each bracket, comma, colon and scalar begins.
class Structurals {
public:
    Structurals(const millrace_json_parser &p, const char *bytes)
        : text(reinterpret_cast<const uint8_t *>(bytes)),
          next(p.parser.implementation->structural_indexes.get()),
          limit(p.max_depth) {}

    /// Steps over what is next: a bracket, a colon, a comma.
    void skip() { next++; }
    const uint8_t *here() const { return text + *next; }

    /// Steps over a value and returns where it ends; NULL if it is nested too deep for a value of
    /// the top-level object.
    const uint8_t *skip_value() {
        if (opens(*here())) return skip_nested();
        const uint8_t *start = here();
        next++;
        const uint8_t *end = here();
        while (end > start && is_space(end[-1])) end--;
        return end;
    }

private:
    const uint8_t *skip_nested() {
        size_t depth = 1;
        do {
            uint8_t c = *here();
            if (opens(c) && ++depth > limit) return nullptr;
            if (closes(c)) depth--;
            next++;
        } while (depth > 1);
        return text + next[-1] + 1;
    }

    const uint8_t *text;
    const uint32_t *next;
    size_t limit;
};

uint32_t span(const uint8_t *start, const uint8_t *end) { return uint32_t(end - start); }

const char *chars(const uint8_t *bytes) { return reinterpret_cast<const char *>(bytes); }

/// A place among 64 for a key. Equal keys share theirs, so most objects need no comparison.
uint64_t key_bit(std::string_view key) {
    if (key.empty()) return 1;
    return uint64_t(1) << ((key.size() * 5 + uint8_t(key.front()) * 3 + uint8_t(key.back())) & 63);
}

/// Pairs each member of the DOM's object with its place in the input. Only after a parse that
/// succeeded: the grammar is known to hold, so the walk needs no bounds of its own.
millrace_json_status collect_members(
    millrace_json_parser &p, const char *bytes, dom::object object, bool &maybe_duplicate) {
    Structurals walk(p, bytes);
    walk.skip();
    uint64_t seen = 0;
    for (auto field : object) {
        millrace_json_member member{};
        const uint8_t *raw_key = walk.here();
        member.raw_key = chars(raw_key);
        member.raw_key_bytes = span(raw_key, walk.skip_value());
        walk.skip();
        const uint8_t *raw = walk.here();
        const uint8_t *raw_end = walk.skip_value();
        if (!raw_end) return millrace_json_too_deep;
        walk.skip();
        member.raw = chars(raw);
        member.raw_bytes = span(raw, raw_end);
        member.key = field.key.data();
        member.key_bytes = uint32_t(field.key.size());
        member.kind = kind_of(field.value);
        std::string_view text;
        if (member.kind == millrace_json_string && !field.value.get(text)) {
            member.text = text.data();
            member.text_bytes = uint32_t(text.size());
        }
        uint64_t bit = key_bit(field.key);
        maybe_duplicate |= (seen & bit) != 0;
        seen |= bit;
        p.members.push_back(member);
    }
    return millrace_json_ok;
}

bool collect_nodes(millrace_json_parser &p, dom::element value, size_t depth);

bool collect_elements(millrace_json_parser &p, dom::array array, size_t depth, size_t &count) {
    for (auto child : array) {
        if (!collect_nodes(p, child, depth)) return false;
        count++;
    }
    return true;
}

bool collect_fields(millrace_json_parser &p, dom::object object, size_t depth, size_t &count) {
    for (auto field : object) {
        millrace_json_node key{};
        key.kind = millrace_json_string;
        key.text = field.key.data();
        key.count = field.key.size();
        p.nodes.push_back(key);
        if (!collect_nodes(p, field.value, depth)) return false;
        count++;
    }
    return true;
}

/// - Returns: false if nested deeper than `depth` more levels.
bool collect_nodes(millrace_json_parser &p, dom::element value, size_t depth) {
    size_t place = p.nodes.size();
    millrace_json_node node{};
    node.kind = kind_of(value);
    std::string_view text;
    switch (node.kind) {
    case millrace_json_integer: (void)value.get(node.number.integer); break;
    case millrace_json_unsigned: (void)value.get(node.number.natural); break;
    case millrace_json_double: (void)value.get(node.number.real); break;
    case millrace_json_string:
        if (!value.get(text)) node.text = text.data(), node.count = text.size();
        break;
    default: break;
    }
    p.nodes.push_back(node);
    bool is_container = node.kind == millrace_json_array || node.kind == millrace_json_object;
    if (!is_container) return true;
    if (depth == 0) return false;
    size_t children = 0;
    dom::array array;
    dom::object object;
    bool is_done = value.get(array) == SUCCESS
        ? collect_elements(p, array, depth - 1, children)
        : value.get(object) == SUCCESS && collect_fields(p, object, depth - 1, children);
    p.nodes[place].count = children;
    return is_done;
}

}  // namespace

extern "C" {

millrace_json_parser *millrace_json_create(size_t max_depth) {
    try {
        auto *p = new millrace_json_parser();
        p->max_depth = max_depth;
        return p;
    } catch (const std::bad_alloc &) {
        return nullptr;
    }
}

void millrace_json_free(millrace_json_parser *parser) { delete parser; }

millrace_json_status millrace_json_parse_members(
    millrace_json_parser *p, const char *bytes, size_t count, millrace_json_members *members) {
    *members = millrace_json_members{};
    try {
        p->members.clear();
        dom::element root;
        millrace_json_status result = parse(*p, bytes, count, root);
        if (result != millrace_json_ok) return result;
        dom::object object;
        if (root.get(object)) return millrace_json_not_object;
        bool maybe_duplicate = false;
        result = collect_members(*p, bytes, object, maybe_duplicate);
        if (result != millrace_json_ok) return result;
        members->has_duplicate_key = maybe_duplicate && has_duplicate(*p);
        members->first = p->members.data();
        members->count = p->members.size();
        return millrace_json_ok;
    } catch (const std::bad_alloc &) {
        return millrace_json_too_large;
    }
}

millrace_json_status millrace_json_parse_nodes(
    millrace_json_parser *p, const char *bytes, size_t count, millrace_json_nodes *nodes) {
    *nodes = millrace_json_nodes{};
    try {
        p->nodes.clear();
        dom::element root;
        millrace_json_status result = parse(*p, bytes, count, root);
        if (result != millrace_json_ok) return result;
        if (!collect_nodes(*p, root, p->max_depth)) return millrace_json_too_deep;
        nodes->first = p->nodes.data();
        nodes->count = p->nodes.size();
        return millrace_json_ok;
    } catch (const std::bad_alloc &) {
        return millrace_json_too_large;
    }
}

}  // extern "C"
