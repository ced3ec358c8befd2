/* writing.c - see writing.h. */
#include "core/writing.h"

#include "base/util.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static size_t one_byte(struct character *out, unsigned code, size_t taken)
{
    out->bytes[0] = (unsigned char)code;
    out->count = 1;
    return taken;
}

size_t character_in_utf8(struct character *out, unsigned long code, size_t taken)
{
    static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

    if (code < 0x80)
        return one_byte(out, (unsigned)code, taken);
    out->count = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = out->count - 1; i > 0; i--, code >>= 6)
        out->bytes[i] = (unsigned char)(0x80 | (code & 0x3f));
    out->bytes[0] = (unsigned char)(lead[out->count] | code);
    return taken;
}

/* The number in exactly `digits` digits; false where they are no hex or not there. */
static bool read_hex(const unsigned char *text, size_t bytes, size_t digits, unsigned long *out)
{
    *out = 0;
    if (bytes < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (!isxdigit(text[i]))
            return false;
        *out = *out * 16 + (unsigned long)(isdigit(text[i]) ? text[i] - '0' : tolower(text[i]) - 'a' + 10);
    }
    return true;
}

static size_t read_plain(const unsigned char *text, size_t bytes, unsigned char want,
                         struct character *out)
{
    (void)bytes, (void)want;
    return one_byte(out, text[0], 1);
}

size_t writing_percent(const unsigned char *text, size_t bytes, unsigned char want,
                       struct character *out)
{
    unsigned long code;

    if (text[0] == '%' && read_hex(text + 1, bytes - 1, 2, &code))
        return one_byte(out, (unsigned)code, 3);
    return one_byte(out, text[0] == '+' && want == ' ' ? ' ' : text[0], 1);
}

static size_t read_u(const unsigned char *text, size_t bytes, struct character *out)
{
    unsigned long high, low;

    if (!read_hex(text + 2, bytes - 2, 4, &high))
        return one_byte(out, text[0], 1);
    bool paired = high >= 0xd800 && high < 0xdc00 && bytes >= 12 && text[6] == '\\' &&
                  text[7] == 'u' && read_hex(text + 8, 4, 4, &low) && low >= 0xdc00 && low < 0xe000;
    return paired ? character_in_utf8(out, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12)
                  : character_in_utf8(out, high, 6);
}

/* Also what other languages write in quotes: \x and any character escaped. */
static size_t read_json(const unsigned char *text, size_t bytes, unsigned char want,
                        struct character *out)
{
    static const char names[] = "bfnrt", codes[] = "\b\f\n\r\t";
    unsigned long     code;

    (void)want;
    if (text[0] != '\\' || bytes < 2)
        return one_byte(out, text[0], 1);
    if (text[1] == 'u')
        return read_u(text, bytes, out);
    if (text[1] == 'x' && read_hex(text + 2, bytes - 2, 2, &code))
        return one_byte(out, (unsigned)code, 4);
    const char *name = memchr(names, text[1], sizeof names - 1);
    return one_byte(out, name ? (unsigned char)codes[name - names] : text[1], 2);
}

/* "&#39;", "&#x27;" */
static size_t read_reference(const unsigned char *text, size_t bytes, struct character *out)
{
    enum { LONGEST = sizeof "&#x10FFFF;" - 1 };
    char  digits[LONGEST + 1], *end;
    size_t count = bytes < LONGEST ? bytes : LONGEST;

    memcpy(digits, text, count);
    digits[count] = '\0';
    bool          hex = count > 3 && tolower(digits[2]) == 'x';
    const char   *first = digits + (hex ? 3 : 2);
    unsigned long code = isxdigit((unsigned char)*first) ? strtoul(first, &end, hex ? 16 : 10) : 0;
    if (code == 0 || code > 0x10ffff || *end != ';')
        return one_byte(out, text[0], 1);
    return character_in_utf8(out, code, (size_t)(end + 1 - digits));
}

static size_t read_html(const unsigned char *text, size_t bytes, unsigned char want,
                        struct character *out)
{
    static const struct { const char *name; unsigned char code; } names[] = {
        { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&apos;", '\'' },
    };
    (void)want;
    if (text[0] != '&')
        return one_byte(out, text[0], 1);
    if (bytes > 2 && text[1] == '#')
        return read_reference(text, bytes, out);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t len = strlen(names[i].name);
        if (len <= bytes && memcmp(text, names[i].name, len) == 0)
            return one_byte(out, names[i].code, len);
    }
    return one_byte(out, text[0], 1);
}

const struct writing writings[WRITINGS] = {
    [WRITING_PLAIN]   = { '\0', read_plain },
    [WRITING_PERCENT] = { '%', writing_percent },
    [WRITING_JSON]    = { '\\', read_json },
    [WRITING_HTML]    = { '&', read_html },
};
