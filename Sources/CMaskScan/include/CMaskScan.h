#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The first stage of masking: it steps over a text and stops where a check in Swift has to look. Most
// bytes that could begin something are ordinary (`:` after a name, the digits of a time), and to tell
// so takes some compares of neighbours. In Swift each of them is a call and a checked read; this loop
// sees every byte of the log, of logs that are posted and of masked events.

/// What a word means. A word stands alone between bytes that are no letters.
enum {
    /// Part of a secret's name.
    MILLRACE_WORD_SECRET = 1,
    /// The same, after another word or in a URL.
    MILLRACE_WORD_KEY = 2,
    /// The same, in a URL.
    MILLRACE_WORD_URL = 4,
    /// A number of a telephone follows.
    MILLRACE_WORD_PHONE = 8,
    /// A number of a payment card follows.
    MILLRACE_WORD_CARD = 16,
};

typedef struct millrace_mask_tables millrace_mask_tables;

/// Made once, filled, and read by any thread from then on. Never freed; NULL without memory.
millrace_mask_tables *millrace_mask_tables_create(void);
/// Adds a word of at most 16 small letters. At most 300 words have room.
void millrace_mask_add_word(
    millrace_mask_tables *tables, const char *word, size_t count, uint8_t meaning);
/// Adds a beginning of tokens, of at least two ASCII characters and a mark (`_`, `-`, `.`).
void millrace_mask_add_prefix(millrace_mask_tables *tables, const char *prefix, size_t count);

/// The first index from `from` on at which a check has to look; `count` if there is none. What a check
/// would accept is always found; what is found need not be accepted. Reads [0, count) alone.
/// - `is_json`: stops as well at an escape, and at a member's name that is not of plain letters or has
///   white space after it.
/// - `is_folded`: a copy without disguises, whose bytes need not mean what they mean elsewhere.
/// - `has_doubt`: set if a shape was passed over because no word before it says what it is.
size_t millrace_mask_next(
    const millrace_mask_tables *tables, const uint8_t *base, size_t count, size_t from,
    bool is_json, bool is_folded, bool *has_doubt);

/// Whether a word of this meaning stands in the 30 bytes before `index`, but not behind `[`.
bool millrace_mask_has_word(
    const millrace_mask_tables *tables, const uint8_t *base, size_t count, size_t index,
    uint8_t meaning);

/// Whether `name` may be a secret's: false is certain.
bool millrace_mask_may_be_secret(
    const millrace_mask_tables *tables, const uint8_t *name, size_t count);
