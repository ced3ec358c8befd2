/* json_scan.c - see json_scan.h.
 *
 * One descent over the text, at most JSON_MAX_NESTING deep. What would take more than a look
 * is left to json_parse(): numbers that may not fit, escapes in names (two names may be the
 * same in different spellings), surrogates, objects of more than MAX_NAMES members. */
#include "io/json_scan.h"

#include "base/utf8.h"

#include <string.h>

enum { MAX_NAMES = 48, MAX_INTEGER_DIGITS = 18, MAX_REAL_DIGITS = 200, MAX_EXPONENT_DIGITS = 2 };

struct scan { const char *at, *end; int depth; };

/* Where a value stands, what it is, and whether it is a string with escapes. */
struct value { struct json_span span; enum json_kind kind; bool escaped; };

static bool scan_value(struct scan *s, struct value *out);

static void skip_blanks(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
        s->at++;
}

static bool take(struct scan *s, char wanted)
{
    if (s->at == s->end || *s->at != wanted)
        return false;
    s->at++;
    return true;
}

/* ---- Strings --------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A code point that is a character by itself and no NUL. */
static bool scan_code(struct scan *s)
{
    unsigned code = 0;

    if (s->end - s->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*s->at++);
        if (digit < 0)
            return false;
        code = code << 4 | (unsigned)digit;
    }
    return code != 0 && (code < 0xd800 || code > 0xdfff);
}

static bool scan_escape(struct scan *s)
{
    s->at++;
    if (s->at == s->end)
        return false;
    char c = *s->at++;
    return c == 'u' ? scan_code(s) : c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
}

static bool scan_character(struct scan *s, struct value *out)
{
    if (*s->at == '\\') {
        out->escaped = true;
        return scan_escape(s);
    }
    size_t length = utf8_length(s->at, (size_t)(s->end - s->at));
    s->at += length;
    return length > 1;                      /* of one byte is here only a control character */
}

/* Most of all text: ASCII that means itself. */
static void skip_plain(struct scan *s)
{
    const char *at = s->at;

    while (at < s->end && *at >= ' ' && *at != '"' && *at != '\\')
        at++;
    s->at = at;
}

/* The span is what stands between the quotes. */
static bool scan_string(struct scan *s, struct value *out)
{
    const char *begin = ++s->at;

    out->kind = JSON_IS_STRING;
    for (skip_plain(s); s->at < s->end && *s->at != '"'; skip_plain(s))
        if (!scan_character(s, out))
            return false;
    out->span = (struct json_span){ begin, (size_t)(s->at - begin) };
    return take(s, '"');
}

/* ---- Numbers and words ------------------------------------------------------------- */

static size_t scan_digits(struct scan *s)
{
    const char *begin = s->at;

    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return (size_t)(s->at - begin);
}

static bool scan_fraction(struct scan *s)
{
    return !take(s, '.') || scan_digits(s) > 0;
}

static bool scan_exponent(struct scan *s)
{
    if (!take(s, 'e') && !take(s, 'E'))
        return true;
    if (!take(s, '+'))
        (void)take(s, '-');
    size_t digits = scan_digits(s);
    return digits > 0 && digits <= MAX_EXPONENT_DIGITS;
}

static bool scan_number(struct scan *s, struct value *out)
{
    (void)take(s, '-');
    bool   zero = s->at < s->end && *s->at == '0';
    size_t digits = scan_digits(s);
    if (digits == 0 || (zero && digits > 1))
        return false;
    const char *behind = s->at;
    if (!scan_fraction(s) || !scan_exponent(s))
        return false;
    bool integer = s->at == behind;
    out->kind = integer ? JSON_IS_INTEGER : JSON_IS_ANY;
    return digits <= (integer ? (size_t)MAX_INTEGER_DIGITS : (size_t)MAX_REAL_DIGITS);
}

static bool scan_word(struct scan *s, struct value *out)
{
    static const struct { const char *word; size_t bytes; enum json_kind kind; } words[] = {
        { "true", 4, JSON_IS_BOOL }, { "false", 5, JSON_IS_BOOL }, { "null", 4, JSON_IS_ANY },
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if ((size_t)(s->end - s->at) >= words[i].bytes &&
            memcmp(s->at, words[i].word, words[i].bytes) == 0) {
            s->at += words[i].bytes;
            out->kind = words[i].kind;
            return true;
        }
    return false;
}

/* ---- Arrays and objects ---------------------------------------------------------------- */

static bool scan_array(struct scan *s, struct value *out)
{
    struct value item;

    s->at++;
    out->kind = JSON_IS_ARRAY;
    skip_blanks(s);
    if (take(s, ']'))
        return true;
    do {
        if (!scan_value(s, &item))
            return false;
    } while (take(s, ','));
    return take(s, ']');
}

/* Names that were met in one object. */
struct names { struct json_span name[MAX_NAMES]; size_t count; };

static bool is_new(struct names *names, struct json_span name)
{
    if (names->count == MAX_NAMES)
        return false;
    for (size_t i = 0; i < names->count; i++)
        if (names->name[i].bytes == name.bytes &&
            memcmp(names->name[i].text, name.text, name.bytes) == 0)
            return false;
    names->name[names->count++] = name;
    return true;
}

static bool scan_member(struct scan *s, struct names *names, struct value *out)
{
    struct value name = { .escaped = false };

    skip_blanks(s);
    if (s->at == s->end || *s->at != '"' || !scan_string(s, &name) || name.escaped ||
        !is_new(names, name.span))
        return false;
    skip_blanks(s);
    return take(s, ':') && scan_value(s, out);
}

static bool scan_object(struct scan *s, struct value *out)
{
    struct names names = { .count = 0 };
    struct value member;

    s->at++;
    out->kind = JSON_IS_OBJECT;
    skip_blanks(s);
    if (take(s, '}'))
        return true;
    do {
        if (!scan_member(s, &names, &member))
            return false;
    } while (take(s, ','));
    return take(s, '}');
}

static bool scan_nested(struct scan *s, struct value *out)
{
    const char *begin = s->at;

    if (++s->depth > JSON_MAX_NESTING)
        return false;
    bool sure = *begin == '{' ? scan_object(s, out) : scan_array(s, out);
    s->depth--;
    out->span = (struct json_span){ begin, (size_t)(s->at - begin) };
    return sure;
}

static bool scan_plain(struct scan *s, struct value *out)
{
    const char *begin = s->at;
    bool        sure = *begin == '-' || (*begin >= '0' && *begin <= '9') ? scan_number(s, out)
                                                                          : scan_word(s, out);
    out->span = (struct json_span){ begin, (size_t)(s->at - begin) };
    return sure;
}

/* The value and the blanks around it. */
static bool scan_value(struct scan *s, struct value *out)
{
    out->escaped = false;
    skip_blanks(s);
    if (s->at == s->end)
        return false;
    bool sure = *s->at == '"' ? scan_string(s, out)
              : *s->at == '{' || *s->at == '[' ? scan_nested(s, out) : scan_plain(s, out);
    skip_blanks(s);
    return sure;
}

bool json_scan(struct json_span text, enum json_kind *kind)
{
    struct scan  s = { text.text, text.text + text.bytes, 0 };
    struct value value;

    if (text.bytes == 0 || !scan_value(&s, &value) || s.at != s.end)
        return false;
    *kind = value.kind;
    return true;
}

bool json_scan_items(struct json_span text, struct json_span *items, size_t max, size_t *count)
{
    struct scan  s = { text.text, text.text + text.bytes, 1 };
    struct value item;

    *count = 0;
    skip_blanks(&s);
    if (!take(&s, '['))
        return false;
    do {
        if (!scan_value(&s, &item))
            return false;
        size_t quote = item.kind == JSON_IS_STRING;
        if (*count < max)
            items[*count] = (struct json_span){ item.span.text - quote, item.span.bytes + 2 * quote };
        ++*count;
    } while (take(&s, ','));
    if (!take(&s, ']'))
        return false;
    skip_blanks(&s);
    return s.at == s.end;
}

/* ---- An object, by the table of its fields ------------------------------------------------ */

/* Notes the value under the field of its name. */
static bool note(const struct json_span *name, const struct value *value,
                 const struct json_field *fields, size_t count, struct json_span *spans)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(fields[i].name) == name->bytes &&
            memcmp(fields[i].name, name->text, name->bytes) == 0) {
            spans[i] = value->span;
            return (fields[i].kind == JSON_IS_ANY || fields[i].kind == value->kind) && !value->escaped;
        }
    return false;
}

static bool has_required(const struct json_field *fields, size_t count,
                         const struct json_span *spans)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i].required && spans[i].text == NULL)
            return false;
    return true;
}

bool json_scan_fields(struct json_span text, const struct json_field *fields, size_t count,
                      struct json_span *spans)
{
    struct scan  s = { text.text, text.text + text.bytes, 1 };
    struct names names = { .count = 0 };
    struct value value;

    memset(spans, 0, count * sizeof *spans);
    skip_blanks(&s);
    if (text.bytes == 0 || !take(&s, '{'))
        return false;
    do {
        if (!scan_member(&s, &names, &value) ||
            !note(&names.name[names.count - 1], &value, fields, count, spans))
            return false;
    } while (take(&s, ','));
    if (!take(&s, '}'))
        return false;
    skip_blanks(&s);
    return s.at == s.end && has_required(fields, count, spans);
}
