#include "CJSONFields.h"

#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef struct node {
    char *name;
    /// The first bytes of the name, zeros after its end: most names differ in them.
    uint64_t head;
    uint32_t name_bytes;
    int index;
    int first_child;
    int next_sibling;
    int slot;
    /// The document in which it was last met: of members of one name the first one counts.
    uint32_t seen;
} node;

struct millrace_fields {
    node *nodes;
    int node_count;
    millrace_field *slots;
    int slot_count;
    int missing;
    uint32_t document;
};

const char *millrace_number(const char *p, const char *end, millrace_field *field);

/// Up to eight bytes of a name. Bytes up to `end` may be read.
static inline uint64_t name_head(const char *name, size_t count, const char *end) {
    uint64_t head = 0;
    if (end - name >= 8) {
        memcpy(&head, name, 8);
        return count >= 8 ? head : head & (((uint64_t)1 << (count * 8)) - 1);
    }
    for (size_t i = 0; i < count && i < 8; i++) head |= (uint64_t)(unsigned char)name[i] << (i * 8);
    return head;
}

millrace_fields *millrace_fields_create(void) {
    millrace_fields *fields = calloc(1, sizeof *fields);
    if (fields == NULL) return NULL;
    fields->nodes = calloc(1, sizeof *fields->nodes);
    // One slot more than none, so that there is an array to return.
    fields->slots = calloc(1, sizeof *fields->slots);
    if (fields->nodes == NULL || fields->slots == NULL) {
        free(fields->nodes);
        free(fields->slots);
        free(fields);
        return NULL;
    }
    fields->nodes[0] = (node){.index = -1, .first_child = -1, .next_sibling = -1, .slot = -1};
    fields->node_count = 1;
    return fields;
}

void millrace_fields_free(millrace_fields *fields) {
    for (int i = 0; i < fields->node_count; i++) free(fields->nodes[i].name);
    free(fields->nodes);
    free(fields->slots);
    free(fields);
}

int millrace_fields_child(
    millrace_fields *fields, int parent, const char *name, size_t name_bytes, int index) {
    for (int i = fields->nodes[parent].first_child; i >= 0; i = fields->nodes[i].next_sibling) {
        node *child = &fields->nodes[i];
        if (child->index == index && child->name_bytes == name_bytes
            && memcmp(child->name, name, name_bytes) == 0) {
            return i;
        }
    }
    node *nodes = realloc(fields->nodes, (size_t)(fields->node_count + 1) * sizeof *nodes);
    if (nodes == NULL) return -1;
    fields->nodes = nodes;
    char *copy = malloc(name_bytes + 1);
    if (copy == NULL) return -1;
    memcpy(copy, name, name_bytes);
    int added = fields->node_count++;
    nodes[added] = (node){
        .name = copy, .head = name_head(copy, name_bytes, copy + name_bytes),
        .name_bytes = (uint32_t)name_bytes, .index = index, .first_child = -1,
        .next_sibling = nodes[parent].first_child, .slot = -1};
    nodes[parent].first_child = added;
    return added;
}

bool millrace_fields_mark(millrace_fields *fields, int place, int slot) {
    if (slot >= fields->slot_count) {
        millrace_field *slots = realloc(fields->slots, (size_t)(slot + 1) * sizeof *slots);
        if (slots == NULL) return false;
        fields->slots = slots;
        fields->slot_count = slot + 1;
    }
    fields->nodes[place].slot = slot;
    return true;
}

static inline bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

static inline const char *skip_space(const char *p, const char *end) {
    while (p < end && is_space(*p)) p++;
    return p;
}

/// The quote that ends the string whose inside begins at `p`; NULL if it does not end.
static inline const char *string_end(const char *p, const char *end, bool *is_escaped) {
    for (;;) {
#ifdef __SSE2__
        while (p + 16 <= end) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)p);
            int quotes = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
            int escapes = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
            if ((quotes | escapes) == 0) {
                p += 16;
                continue;
            }
            p += __builtin_ctz((unsigned)(quotes | escapes));
            break;
        }
#endif
        while (p < end && *p != '"' && *p != '\\') p++;
        if (p >= end) return NULL;
        if (*p == '"') return p;
        *is_escaped = true;
        p += 2;
    }
}

/// Behind the value that begins at `p`; NULL if it does not end.
static const char *skip_value(const char *p, const char *end) {
    int depth = 0;
    bool is_escaped = false;
    do {
        if (p >= end) return NULL;
        char c = *p;
        if (c == '"') {
            p = string_end(p + 1, end, &is_escaped);
            if (p == NULL) return NULL;
            p++;
        } else if (c == '{' || c == '[') {
            depth++;
            p++;
        } else if (c == '}' || c == ']') {
            depth--;
            p++;
        } else if (depth == 0) {
            while (p < end && *p != ',' && *p != '}' && *p != ']' && !is_space(*p)) p++;
        } else {
            p++;
        }
    } while (depth > 0);
    return p;
}

static inline bool starts(const char *p, const char *end, const char *word, size_t count) {
    return (size_t)(end - p) >= count && memcmp(p, word, count) == 0;
}

/// Reads the value at `p` into `field`. Behind the value, or NULL.
static const char *read_value(const char *p, const char *end, millrace_field *field) {
    switch (*p) {
    case '"': {
        field->is_escaped = false;
        field->bytes = p + 1;
        const char *quote = string_end(p + 1, end, &field->is_escaped);
        if (quote == NULL) return NULL;
        field->count = (uint32_t)(quote - p - 1);
        field->kind = millrace_field_text;
        return quote + 1;
    }
    case '{':
    case '[': {
        const char *after = skip_value(p, end);
        if (after == NULL) return NULL;
        field->bytes = p;
        field->count = (uint32_t)(after - p);
        field->kind = millrace_field_json;
        return after;
    }
    case 't':
        if (!starts(p, end, "true", 4)) return NULL;
        field->kind = millrace_field_true;
        return p + 4;
    case 'f':
        if (!starts(p, end, "false", 5)) return NULL;
        field->kind = millrace_field_false;
        return p + 5;
    case 'n':
        if (!starts(p, end, "null", 4)) return NULL;
        field->kind = millrace_field_null;
        return p + 4;
    default: return millrace_number(p, end, field);
    }
}

static const char *visit(millrace_fields *fields, int place, const char *p, const char *end);

static inline bool is_named(
    const node *child, const char *name, size_t name_bytes, uint64_t head) {
    return child->head == head && child->name_bytes == name_bytes
        && (name_bytes <= 8 || memcmp(child->name + 8, name + 8, name_bytes - 8) == 0);
}

/// Visits the value at `p` for each child of `parent` with the name or, where there is none, the
/// index; skips it if there is no such child.
static const char *visit_children(
    millrace_fields *fields, int parent, const char *name, size_t name_bytes, int index,
    const char *p, const char *end) {
    const char *after = NULL;
    uint64_t head = name == NULL ? 0 : name_head(name, name_bytes, end);
    for (int i = fields->nodes[parent].first_child; i >= 0; i = fields->nodes[i].next_sibling) {
        node *child = &fields->nodes[i];
        bool matches =
            name == NULL ? child->index == index : is_named(child, name, name_bytes, head);
        if (!matches || child->seen == fields->document) continue;
        child->seen = fields->document;
        after = visit(fields, i, p, end);
        if (after == NULL || fields->missing == 0) return after;
    }
    return after != NULL ? after : skip_value(p, end);
}

static const char *visit_object(
    millrace_fields *fields, int place, const char *p, const char *end) {
    p = skip_space(p + 1, end);
    if (p < end && *p == '}') return p + 1;
    while (p < end && *p == '"') {
        bool is_escaped = false;
        const char *name = p + 1;
        const char *quote = string_end(name, end, &is_escaped);
        if (quote == NULL) return NULL;
        p = skip_space(quote + 1, end);
        if (p >= end || *p != ':') return NULL;
        p = skip_space(p + 1, end);
        p = visit_children(fields, place, name, (size_t)(quote - name), -1, p, end);
        if (p == NULL || fields->missing == 0) return p;
        p = skip_space(p, end);
        if (p < end && *p == '}') return p + 1;
        if (p >= end || *p != ',') return NULL;
        p = skip_space(p + 1, end);
    }
    return NULL;
}

static const char *visit_array(
    millrace_fields *fields, int place, const char *p, const char *end) {
    p = skip_space(p + 1, end);
    if (p < end && *p == ']') return p + 1;
    for (int index = 0; p < end; index++) {
        p = visit_children(fields, place, NULL, 0, index, p, end);
        if (p == NULL || fields->missing == 0) return p;
        p = skip_space(p, end);
        if (p < end && *p == ']') return p + 1;
        if (p >= end || *p != ',') return NULL;
        p = skip_space(p + 1, end);
    }
    return NULL;
}

/// Takes what is asked for from the value at `p`. Behind the value unless everything has been found;
/// NULL if the text ends or breaks off.
static const char *visit(millrace_fields *fields, int place, const char *p, const char *end) {
    if (p >= end) return NULL;
    int slot = fields->nodes[place].slot;
    const char *after = NULL;
    if (slot >= 0) {
        after = read_value(p, end, &fields->slots[slot]);
        if (after == NULL) return NULL;
        if (--fields->missing == 0) return after;
    }
    if (fields->nodes[place].first_child >= 0 && (*p == '{' || *p == '[')) {
        const char *inner = *p == '{' ? visit_object(fields, place, p, end)
                                      : visit_array(fields, place, p, end);
        return inner == NULL || fields->missing == 0 || after == NULL ? inner : after;
    }
    return after != NULL ? after : skip_value(p, end);
}

const millrace_field *millrace_fields_find(
    millrace_fields *fields, const char *bytes, size_t count) {
    for (int i = 0; i < fields->slot_count; i++) {
        fields->slots[i].kind = millrace_field_missing;
    }
    fields->missing = fields->slot_count;
    if (count == 0 || fields->missing == 0) return fields->slots;
    if (++fields->document == 0) {
        for (int i = 0; i < fields->node_count; i++) fields->nodes[i].seen = 0;
        fields->document = 1;
    }
    const char *end = bytes + count;
    visit(fields, 0, skip_space(bytes, end), end);
    return fields->slots;
}
