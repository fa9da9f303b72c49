#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// simdjson is C++ and Swift rooms build without C++ interoperability, so this is all of it that
// they see. Its DOM parser is in the shared library, which picks the instruction set at run time.

/// Why a text was refused; `millrace_json_ok` is 0.
typedef enum millrace_json_status {
    millrace_json_ok,
    millrace_json_empty,
    millrace_json_not_utf8,
    millrace_json_too_deep,
    millrace_json_bad_number,  // malformed like 01, or beyond a double like 1e400
    millrace_json_invalid,
    millrace_json_too_large,
    millrace_json_not_object,
} millrace_json_status;

typedef enum millrace_json_kind {
    millrace_json_null,
    millrace_json_false,
    millrace_json_true,
    millrace_json_integer,   // fits int64_t
    millrace_json_unsigned,  // above INT64_MAX, fits uint64_t
    millrace_json_double,    // also an integer beyond those: the double nearest to it
    millrace_json_string,
    millrace_json_array,
    millrace_json_object,
} millrace_json_kind;

/// One member of the top-level object. Pointers to text lead into the parser, those to raw bytes
/// into the input.
typedef struct millrace_json_member {
    const char *key;       // without quotes and escapes, UTF-8
    const char *text;      // a string's text without quotes and escapes; else NULL
    const char *raw_key;   // with its quotes, as it was sent
    const char *raw;       // the value as it was sent, without white space around it
    uint32_t key_bytes;
    uint32_t text_bytes;
    uint32_t raw_key_bytes;
    uint32_t raw_bytes;
    uint32_t kind;         // a millrace_json_kind
    uint32_t reserved;
} millrace_json_member;

/// Members in the order of the input; valid until the parser is used again.
typedef struct millrace_json_members {
    const millrace_json_member *first;
    size_t count;
    bool has_duplicate_key;
} millrace_json_members;

/// One value of a document, parents before children. In an object each child is preceded by a
/// string node that is its key.
typedef struct millrace_json_node {
    const char *text;    // a string's text
    size_t count;        // a string's bytes, an array's elements, an object's members
    union {
        int64_t integer;
        uint64_t natural;
        double real;
    } number;
    millrace_json_kind kind;
} millrace_json_node;

/// Nodes in document order; valid until the parser is used again.
typedef struct millrace_json_nodes {
    const millrace_json_node *first;
    size_t count;
} millrace_json_nodes;

typedef struct millrace_json_parser millrace_json_parser;

/// A parser that refuses texts nested deeper than `max_depth`. NULL without memory. Its memory
/// grows to about 13 times the largest text. The caller frees it; one thread at a time uses it.
millrace_json_parser *millrace_json_create(size_t max_depth);
void millrace_json_free(millrace_json_parser *parser);

/// Parses one text that is an object. At least 64 bytes behind `count` must be readable; what
/// they hold does not matter. O(count), for any number of members.
millrace_json_status millrace_json_parse_members(
    millrace_json_parser *parser, const char *bytes, size_t count, millrace_json_members *members);

/// Parses one text of any kind into nodes; the same padding.
millrace_json_status millrace_json_parse_nodes(
    millrace_json_parser *parser, const char *bytes, size_t count, millrace_json_nodes *nodes);

/// The bytes of the value that `bytes` begins with (no white space before it): up to the bracket
/// that closes it, the quote that ends it, or for a number or word the first byte that cannot
/// belong to one. Minds strings and escapes and nothing else: whether the value is JSON is for the
/// parser to say. 0 if it does not end within `count`, or begins with something else.
size_t millrace_json_skip_value(const char *bytes, size_t count);

#ifdef __cplusplus
}
#endif
