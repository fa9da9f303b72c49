#include "CJSONFields.h"

#include <stdlib.h>
#include <string.h>

static const double powers_of_ten[] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/// The C library's reading, of a copy that ends with a zero byte. The locale is "C": nobody here
/// calls setlocale.
static double nearest_double(const char *p, size_t count) {
    char small[64];
    char *copy = count < sizeof small ? small : malloc(count + 1);
    if (copy == NULL) return 0;
    memcpy(copy, p, count);
    copy[count] = 0;
    double value = strtod(copy, NULL);
    if (copy != small) free(copy);
    return value;
}

static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The digits of a number so far: at most 19 of them fit `mantissa`.
typedef struct digits {
    uint64_t mantissa;
    int count;
    bool is_cut;
} digits;

static inline const char *read_digits(const char *p, const char *end, digits *read) {
    while (p < end && is_digit(*p)) {
        if (read->count < 19) {
            read->mantissa = read->mantissa * 10 + (uint64_t)(*p - '0');
            // Leading zeros take no room.
            if (read->mantissa > 0) read->count++;
        } else {
            read->is_cut = true;
        }
        p++;
    }
    return p;
}

static const char *read_exponent(const char *p, const char *end, int *exponent) {
    bool is_negative = false;
    if (p < end && (*p == '+' || *p == '-')) is_negative = *p++ == '-';
    int value = 0;
    while (p < end && is_digit(*p)) {
        if (value < 100000) value = value * 10 + (*p - '0');
        p++;
    }
    *exponent += is_negative ? -value : value;
    return p;
}

static void set_integer(
    const char *p, const char *end, digits read, bool is_negative, millrace_field *field) {
    uint64_t limit = is_negative ? (uint64_t)1 << 63 : INT64_MAX;
    if (!read.is_cut && read.mantissa <= limit) {
        field->kind = millrace_field_integer;
        field->number.integer =
            is_negative ? (int64_t)(0 - read.mantissa) : (int64_t)read.mantissa;
        return;
    }
    field->kind = millrace_field_real;
    field->number.real = nearest_double(p, (size_t)(end - p));
}

/// Reads the number at `p`. Behind it, or NULL if there is none.
const char *millrace_number(const char *p, const char *end, millrace_field *field) {
    const char *start = p;
    bool is_negative = *p == '-';
    if (is_negative) p++;
    if (p >= end || !is_digit(*p)) return NULL;
    digits read = {0, 0, false};
    p = read_digits(p, end, &read);
    if (p >= end || (*p != '.' && *p != 'e' && *p != 'E')) {
        set_integer(start, p, read, is_negative, field);
        return p;
    }
    int exponent = 0;
    if (*p == '.') {
        const char *fraction = p + 1;
        p = read_digits(fraction, end, &read);
        exponent = -(int)(p - fraction > 100000 ? 100000 : p - fraction);
    }
    if (p < end && (*p == 'e' || *p == 'E')) p = read_exponent(p + 1, end, &exponent);
    field->kind = millrace_field_real;
    // Both operands are exact, so the result is rounded once (Clinger, "How to Read Floating Point
    // Numbers Accurately", 1990).
    if (!read.is_cut && read.mantissa <= (uint64_t)1 << 53 && exponent >= -22 && exponent <= 22) {
        double value = (double)read.mantissa;
        value = exponent < 0 ? value / powers_of_ten[-exponent] : value * powers_of_ten[exponent];
        field->number.real = is_negative ? -value : value;
    } else {
        field->number.real = nearest_double(start, (size_t)(p - start));
    }
    return p;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// The code unit of the `\uXXXX` at `p`; -1 if there is none.
static int code_unit(const char *p, const char *end) {
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return -1;
    int unit = 0;
    for (int i = 2; i < 6; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0) return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static char *put_scalar(char *out, uint32_t scalar) {
    if (scalar < 0x80) {
        *out++ = (char)scalar;
    } else if (scalar < 0x800) {
        *out++ = (char)(0xC0 | scalar >> 6);
        *out++ = (char)(0x80 | (scalar & 0x3F));
    } else if (scalar < 0x10000) {
        *out++ = (char)(0xE0 | scalar >> 12);
        *out++ = (char)(0x80 | (scalar >> 6 & 0x3F));
        *out++ = (char)(0x80 | (scalar & 0x3F));
    } else {
        *out++ = (char)(0xF0 | scalar >> 18);
        *out++ = (char)(0x80 | (scalar >> 12 & 0x3F));
        *out++ = (char)(0x80 | (scalar >> 6 & 0x3F));
        *out++ = (char)(0x80 | (scalar & 0x3F));
    }
    return out;
}

/// Writes what the escape at `*p` stands for and moves behind it.
static char *put_escape(const char **p, const char *end, char *out) {
    int unit = code_unit(*p, end);
    if (unit < 0) {
        char c = (*p)[1];
        *p += 2;
        switch (c) {
        case 'b': *out++ = '\b'; break;
        case 'f': *out++ = '\f'; break;
        case 'n': *out++ = '\n'; break;
        case 'r': *out++ = '\r'; break;
        case 't': *out++ = '\t'; break;
        default: *out++ = c;
        }
        return out;
    }
    *p += 6;
    if (unit < 0xD800 || unit > 0xDFFF) return put_scalar(out, (uint32_t)unit);
    int low = unit < 0xDC00 ? code_unit(*p, end) : -1;
    if (low < 0xDC00 || low > 0xDFFF) return put_scalar(out, 0xFFFD);
    *p += 6;
    return put_scalar(
        out, 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)low - 0xDC00));
}

size_t millrace_text_unescape(const char *bytes, size_t count, char *out) {
    const char *p = bytes;
    const char *end = bytes + count;
    char *start = out;
    while (p < end) {
        if (*p == '\\' && p + 1 < end) {
            out = put_escape(&p, end, out);
        } else {
            *out++ = *p++;
        }
    }
    return (size_t)(out - start);
}

size_t millrace_json_minify(const char *bytes, size_t count, char *out) {
    char *start = out;
    bool is_string = false;
    for (size_t i = 0; i < count; i++) {
        char c = bytes[i];
        if (!is_string && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) continue;
        *out++ = c;
        if (c == '"') is_string = !is_string;
        if (is_string && c == '\\' && i + 1 < count) *out++ = bytes[++i];
    }
    return (size_t)(out - start);
}

/// Multiplies to 128 bits and folds the halves (Wang Yi, wyhash).
static inline uint64_t fold(uint64_t a, uint64_t b) {
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t millrace_table_hash(const void *bytes, size_t count, uint64_t seed) {
    const unsigned char *p = bytes;
    uint64_t hash = seed ^ 0xA0761D6478BD642FULL ^ count;
    size_t rest = count;
    uint64_t word;
    while (rest >= 8) {
        memcpy(&word, p, 8);
        hash = fold(hash ^ word, 0xE7037ED1A0B428DBULL ^ seed);
        p += 8;
        rest -= 8;
    }
    word = 0;
    if (rest > 0) {
        // Some bytes are read twice, rather than a number of them that the compiler does not know.
        if (count >= 8) {
            memcpy(&word, p + rest - 8, 8);
        } else if (rest >= 4) {
            uint32_t low, high;
            memcpy(&low, p, 4);
            memcpy(&high, p + rest - 4, 4);
            word = low | (uint64_t)high << 32;
        } else {
            word = p[0] | (uint64_t)p[rest / 2] << 8 | (uint64_t)p[rest - 1] << 16;
        }
    }
    return fold(hash ^ word, 0x8EBC6AF09C88C6E3ULL ^ seed);
}
