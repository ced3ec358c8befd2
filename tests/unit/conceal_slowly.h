/* conceal_slowly.h - concealing as it was done before there was a table of beginnings: every
 * spelling is tried at every place, in every writing. It is kept as what core/conceal.c must equal,
 * and as what benchmarks/conceal.c measures it against. Of two matches of one length that both have a
 * token, the one that was added last is taken, which the former code left to the order of its lists. */
#pragma once

#include "core/vault.h"

#include "base/util.h"
#include "io/crypto.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    SHORTEST_DERIVED = 8,                   /* bytes; what is made of less would eat ordinary text */
    SHORTEST_SEGMENT = 16,                  /* of a path: shorter ones are words */
};

enum alphabet { EXACT, ANY_CASE, BASE64 };  /* BASE64: the two alphabets are one */

struct slow_spelling {
    unsigned char *bytes;                   /* NUL behind it */
    size_t         len;
    enum alphabet  alphabet;
    unsigned       seal;
    bool           whole;                   /* says the value: its token says the same */
    unsigned       next;                    /* of those with the same beginning, see head */
};

struct slow_spellings {
    struct slow_spelling *item;
    size_t           count, cap;
    unsigned         head[256];             /* by folded() first byte: index + 1; 0: none */
};

struct found { const struct slow_spelling *spelling; size_t bytes; };    /* of the text */

/* ---- Comparing ---------------------------------------------------------------------------- */

static unsigned char base64_standard(unsigned char c) { return c == '-' ? '+' : c == '_' ? '/' : c; }

static bool same(enum alphabet alphabet, unsigned char a, unsigned char b)
{
    if (a == b || alphabet == EXACT)
        return a == b;
    return alphabet == BASE64 ? base64_standard(a) == base64_standard(b) : tolower(a) == tolower(b);
}

/* What is the same() in some alphabet folds to the same. */
static unsigned char folded(unsigned char c) { return (unsigned char)tolower(base64_standard(c)); }

/* ---- Writings: how one character stands in a text ------------------------------------------- */

struct character { unsigned char bytes[4]; size_t count; };

static size_t one_byte(struct character *out, unsigned code, size_t taken)
{
    out->bytes[0] = (unsigned char)code;
    out->count = 1;
    return taken;
}

static size_t in_utf8(struct character *out, unsigned long code, size_t taken)
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

/* Readers give how many bytes of the text the character takes; `bytes` > 0. `want` is
 * what the spelling has there, for what can be read in two ways. */
typedef size_t reader(const unsigned char *text, size_t bytes, unsigned char want,
                      struct character *out);

static size_t read_plain(const unsigned char *text, size_t bytes, unsigned char want,
                         struct character *out)
{
    (void)bytes, (void)want;
    return one_byte(out, text[0], 1);
}

static size_t read_percent(const unsigned char *text, size_t bytes, unsigned char want,
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
    return paired ? in_utf8(out, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12)
                  : in_utf8(out, high, 6);
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
    return in_utf8(out, code, (size_t)(end + 1 - digits));
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

static reader *const readers[] = { read_plain, read_percent, read_json, read_html };

/* ---- Finding --------------------------------------------------------------------------------- */

/* How many bytes of the text are this spelling; 0: it does not begin with it. */
static size_t match(const struct slow_spelling *s, reader *read, const unsigned char *text, size_t bytes)
{
    struct character c;
    size_t           at = 0, done = 0;

    while (done < s->len) {
        if (at == bytes)
            return 0;
        at += read(text + at, bytes - at, s->bytes[done], &c);
        for (size_t i = 0; i < c.count; i++)    /* the NUL behind it ends a character too long */
            if (!same(s->alphabet, s->bytes[done++], c.bytes[i]))
                return 0;
    }
    return at;
}

static size_t longest_writing(const struct slow_spelling *s, const unsigned char *text, size_t bytes)
{
    size_t longest = 0;

    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        size_t length = match(s, readers[i], text, bytes);
        longest = length > longest ? length : longest;
    }
    return longest;
}

static bool is_better(const struct slow_spelling *s, size_t n, const struct found *best)
{
    if (n != best->bytes || n == 0)
        return n > best->bytes;
    return s->whole != best->spelling->whole ? s->whole : s->seal > best->spelling->seal;
}

static void try_beginning(const struct slow_spellings *all, unsigned char first,
                          const unsigned char *text, size_t bytes, struct found *best)
{
    for (unsigned i = all->head[folded(first)]; i != 0; i = all->item[i - 1].next) {
        const struct slow_spelling *s = &all->item[i - 1];
        size_t                 n = longest_writing(s, text, bytes);
        if (is_better(s, n, best))
            *best = (struct found){ s, n };
    }
}

/* An escape is read in each way first; almost all bytes are none. */
static struct found spelling_at(const struct slow_spellings *all, const unsigned char *text, size_t bytes)
{
    struct found     best = { NULL, 0 };
    struct character c;

    try_beginning(all, text[0], text, bytes, &best);
    if (text[0] == '+')
        try_beginning(all, ' ', text, bytes, &best);
    for (size_t i = 0; strchr("%\\&", text[0]) != NULL && i < ARRAY_LEN(readers); i++) {
        readers[i](text, bytes, 0, &c);
        if (c.bytes[0] != text[0])
            try_beginning(all, c.bytes[0], text, bytes, &best);
    }
    return best;
}

static enum mh_err conceal_slowly(const struct seals *s, const struct slow_spellings *all,
                                  const char *text, size_t bytes, struct buf *out)
{
    size_t      copied = 0, at = 0;
    enum mh_err err = MH_OK;

    while (err == MH_OK && at < bytes) {
        struct found found = spelling_at(all, (const unsigned char *)text + at, bytes - at);
        if (found.spelling == NULL) {
            at++;
            continue;
        }
        err = buf_append(out, text + copied, at - copied);
        if (err == MH_OK)
            err = buf_puts(out, found.spelling->whole ? s->item[found.spelling->seal].token : "***");
        at += found.bytes;
        copied = at;
    }
    return err == MH_OK && copied < bytes ? buf_append(out, text + copied, bytes - copied) : err;
}

/* ---- Spelling a value ---------------------------------------------------------------------------- */

static struct slow_spelling *more_room(struct slow_spellings *all)
{
    if (all->count == all->cap) {
        all->cap = all->cap ? 2 * all->cap : 8;
        all->item = realloc(all->item, all->cap * sizeof *all->item);
        if (all->item == NULL)
            abort();                        /* out of memory: a secret must not stay unfound */
    }
    return &all->item[all->count++];
}

/* Takes `bytes`, of mem_alloc(len + 1) or more. */
static void add(struct slow_spellings *all, unsigned seal, enum alphabet alphabet, bool whole,
                unsigned char *bytes, size_t len)
{
    struct slow_spelling *s = more_room(all);

    *s = (struct slow_spelling){ bytes, len, alphabet, seal, whole, all->head[folded(bytes[0])] };
    all->head[folded(bytes[0])] = (unsigned)all->count;
}

static void add_hex(struct slow_spellings *all, unsigned seal, const char *value, size_t len)
{
    char *hex = mem_alloc(2 * len + 1);

    crypto_hex(value, len, hex);
    add(all, seal, ANY_CASE, false, (unsigned char *)hex, 2 * len);
}

/* The characters of base64 that hold bits of the value only, where `skip` bits of it
 * (0, 4 or 2) share a character with what stands before it. */
static void add_base64(struct slow_spellings *all, unsigned seal, const char *value, size_t len,
                       size_t skip)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t            count = (8 * len - skip) / 6;
    unsigned char    *text = mem_alloc(count + 1);

    for (size_t i = 0; i < count; i++) {
        size_t   bit = skip + 6 * i, byte = bit / 8;
        unsigned two = (unsigned)(unsigned char)value[byte] << 8 | (unsigned char)value[byte + 1];
        text[i] = (unsigned char)letters[two >> (10 - bit % 8) & 0x3f];
    }
    add(all, seal, BASE64, false, text, count);
}

static void add_text(struct slow_spellings *all, unsigned seal, bool whole, const char *text, size_t len)
{
    enum alphabet alphabet = len < SHORTEST_DERIVED ? EXACT : ANY_CASE;

    add(all, seal, alphabet, whole, (unsigned char *)mem_strndup(text, len), len);
}

/* HTTP gives headers no character set. Many a service takes each byte for a character
 * (ISO 8859-1), and writes those in UTF-8. */
static void add_misread(struct slow_spellings *all, unsigned seal, const char *value, size_t len)
{
    unsigned char   *text = mem_alloc(2 * len + 1);
    struct character c;
    size_t           done = 0;

    for (size_t i = 0; i < len; i++, done += c.count) {
        in_utf8(&c, (unsigned char)value[i], 0);
        memcpy(text + done, c.bytes, c.count);
    }
    if (done > len) {
        add(all, seal, done < SHORTEST_DERIVED ? EXACT : ANY_CASE, true, text, done);
        return;
    }
    explicit_bzero(text, done);             /* ASCII is the same in both */
    free(text);
}

/* A part of a URL as the service reads it: percent is undone. */
static void add_part(struct slow_spellings *all, unsigned seal, const char *part, size_t len,
                     size_t shortest)
{
    unsigned char   *text = mem_alloc(len + 1);
    struct character c;
    size_t           at = 0, done = 0;

    for (; at < len; text[done++] = c.bytes[0])
        at += read_percent((const unsigned char *)part + at, len - at, ' ', &c);
    if (done >= shortest) {
        add(all, seal, ANY_CASE, false, text, done);
        return;
    }
    explicit_bzero(text, len);
    free(text);
}

static void add_segments(struct slow_spellings *all, unsigned seal, const char *path, size_t len)
{
    for (size_t at = 0, n; at < len; at += n + 1) {
        n = strcspn(path + at, "/?#");
        add_part(all, seal, path + at, n, SHORTEST_SEGMENT);
    }
}

/* "?name=value&alone": not the names. */
static void add_parameters(struct slow_spellings *all, unsigned seal, const char *query, size_t len)
{
    for (size_t at = 1, n; at < len; at += n + 1) {
        n = strcspn(query + at, "&#");
        size_t name = strcspn(query + at, "=&#");
        size_t skip = name < n ? name + 1 : 0;
        add_part(all, seal, query + at + skip, n - skip, SHORTEST_DERIVED);
    }
}

/* What services show of an address that they were called at: all of it but the host, the
 * path, and what is long in the path and the query. */
static void add_url_parts(struct slow_spellings *all, unsigned seal, const char *value)
{
    const char *host = strstr(value, "://");
    const char *target = host ? host + 3 + strcspn(host + 3, "/?#") : "";
    size_t      len = strcspn(target, "#"), path = strcspn(target, "?#");

    if (strncasecmp(value, "http", 4) != 0)
        return;
    if (len >= SHORTEST_DERIVED)
        add_text(all, seal, false, target, len);
    if (path >= SHORTEST_DERIVED && path < len)
        add_text(all, seal, false, target, path);
    add_segments(all, seal, target, path);
    add_parameters(all, seal, target + path, len - path);
}

static void slow_add(struct slow_spellings *all, unsigned seal, const char *value)
{
    static const size_t skips[] = { 0, 4, 2 };
    size_t              len = strlen(value);

    if (len < VAULT_SHORTEST_SECRET)
        return;
    add_text(all, seal, true, value, len);
    add_misread(all, seal, value, len);
    if (len < SHORTEST_DERIVED)
        return;
    add_hex(all, seal, value, len);
    for (size_t i = 0; i < ARRAY_LEN(skips); i++)
        add_base64(all, seal, value, len, skips[i]);
    add_url_parts(all, seal, value);
}

/* What the values of `s` spell; slow_free() it. */
static struct slow_spellings *slow_spellings(const struct seals *s)
{
    struct slow_spellings *all = mem_alloc(sizeof *all);

    for (unsigned i = 0; i < s->count; i++)
        slow_add(all, i, s->item[i].value);
    return all;
}

static void slow_free(struct slow_spellings *all)
{
    for (size_t i = 0; i < all->count; i++)
        free(all->item[i].bytes);
    free(all->item);
    free(all);
}
