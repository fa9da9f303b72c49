#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Finds some fields in JSON text without parsing the rest: one pass over the bytes, no allocation,
// and the end of the pass as soon as every field has been found. The text was valid JSON when it was
// stored; of damaged text fields may be missing, but nothing outside of it is read.
//
// A path names members and elements. Names are compared as they are written, byte by byte. Of members
// with the same name the first one counts.

typedef enum millrace_field_kind {
    millrace_field_missing,
    millrace_field_null,
    millrace_field_false,
    millrace_field_true,
    millrace_field_integer,  // a number without fraction and exponent that fits int64_t
    millrace_field_real,     // any other number: the double nearest to it
    millrace_field_text,
    millrace_field_json,     // an object or an array
} millrace_field_kind;

/// What was found. Bytes lead into the text.
typedef struct millrace_field {
    const char *bytes;  // text: what is between the quotes; json: with its brackets
    uint32_t count;
    uint8_t kind;
    bool is_escaped;    // the text holds escapes
    union {
        int64_t integer;
        double real;
    } number;
} millrace_field;

typedef struct millrace_fields millrace_fields;

/// A finder without paths. NULL without memory. The caller frees it; one thread at a time uses it.
millrace_fields *millrace_fields_create(void);
void millrace_fields_free(millrace_fields *fields);

/// The node below `parent` (0 is the document) for the member called `name` of an object, or, unless
/// `index` is negative, for that element of an array. `name` is copied. -1 without memory.
int millrace_fields_child(
    millrace_fields *fields, int parent, const char *name, size_t name_bytes, int index);
/// Makes `node` the place of the field number `slot`; slots count from 0. False without memory.
bool millrace_fields_mark(millrace_fields *fields, int node, int slot);

/// Looks for all fields; the result is an array of as many as there are slots, valid until the next
/// call. `bytes` may be NULL when `count` is 0.
const millrace_field *millrace_fields_find(
    millrace_fields *fields, const char *bytes, size_t count);

/// Writes the text that `bytes`, the inside of a JSON string, stands for; never more bytes than
/// `count`. A surrogate without its other half becomes U+FFFD.
size_t millrace_text_unescape(const char *bytes, size_t count, char *out);
/// Writes JSON without the white space between its tokens; never more bytes than `count`.
size_t millrace_json_minify(const char *bytes, size_t count, char *out);
/// A 64-bit hash for tables whose keys strangers choose; `seed` is the table's secret.
uint64_t millrace_table_hash(const void *bytes, size_t count, uint64_t seed);
