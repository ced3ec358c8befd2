/* spelling.c - see spelling.h: what a secret's value is spelled as. Made once, when the secret is
 * added. */
#include "core/spelling.h"

#include "base/util.h"
#include "core/vault.h"
#include "core/writing.h"
#include "io/crypto.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    SHORTEST_DERIVED = 8,                   /* bytes; what is made of less would eat ordinary text */
    SHORTEST_SEGMENT = 16,                  /* of a path: shorter ones are words */
    LEAST_SLOT_BITS = 8, MOST_SLOT_BITS = 16,
    SLOTS_EACH = 16,                        /* so that an ordinary text rarely meets a taken one */
};

_Static_assert((int)VAULT_SHORTEST_SECRET >= (int)SPELLING_BEGINS, "a spelling has a beginning");

/* ---- Comparing ----------------------------------------------------------------------------------- */

static unsigned char base64_standard(unsigned char c) { return c == '-' ? '+' : c == '_' ? '/' : c; }

bool spelling_same(enum alphabet alphabet, unsigned char a, unsigned char b)
{
    if (a == b || alphabet == EXACT)
        return a == b;
    return alphabet == BASE64 ? base64_standard(a) == base64_standard(b) : tolower(a) == tolower(b);
}

#define SAME(c)   c, c + 1, c + 2, c + 3, c + 4, c + 5, c + 6, c + 7
#define SAME_64(c) SAME(c), SAME(c + 8), SAME(c + 16), SAME(c + 24), SAME(c + 32), SAME(c + 40), \
                  SAME(c + 48), SAME(c + 56)
const unsigned char spelling_folds[256] = {
    SAME(0), SAME(8), SAME(16), SAME(24),
    '+', '!', '"', '#', '$', '%', '&', '\'', '(', ')', '*', '+', ',', '+', '.', '/', SAME('0'), SAME('8'),
    '@', 'a', 'b', 'c', 'd', 'e', 'f', 'g', SAME('h'), SAME('p'), 'x', 'y', 'z', '[', '\\', ']', '^', '/',
    SAME('`'), SAME('h'), SAME('p'), SAME('x'), SAME_64(128), SAME_64(192),
};

/* ---- The table of beginnings ------------------------------------------------------------------------ */

static void put_in_slot(struct spellings *all, size_t i)
{
    unsigned *slot = spellings_slot(all, all->item[i].beginning);

    all->item[i].next = *slot;
    *slot = (unsigned)i + 1;
}

static void shorten_skip(struct spellings *all, const unsigned char *bytes, unsigned places)
{
    unsigned char *skip = &all->skip[spelling_pair(bytes[0], bytes[1])];

    *skip = *skip < places ? *skip : (unsigned char)places;
}

static void make_slots(struct spellings *all, unsigned bits)
{
    free(all->slot);
    all->slot = mem_alloc((sizeof *all->slot) << bits);
    all->slot_bits = bits;
    for (size_t i = 0; i < all->count; i++)
        put_in_slot(all, i);
}

/* ---- Spelling a value ---------------------------------------------------------------------------- */

static struct spelling *more_room(struct spellings *all)
{
    if (all->count == all->cap) {
        all->cap = all->cap ? 2 * all->cap : 8;
        all->item = realloc(all->item, all->cap * sizeof *all->item);
        if (all->item == NULL)
            abort();                        /* out of memory: a secret must not stay unfound */
    }
    return &all->item[all->count++];
}

/* Takes `bytes`, of mem_alloc(len + 1) or more; len is SPELLING_BEGINS or more. */
static void add(struct spellings *all, unsigned seal, enum alphabet alphabet, bool whole,
                unsigned char *bytes, size_t len)
{
    struct spelling *s = more_room(all);

    *s = (struct spelling){ .bytes = bytes, .len = len, .alphabet = alphabet, .seal = seal,
                            .whole = whole };
    for (size_t i = 0; i < SPELLING_BEGINS; i++)
        s->beginning = s->beginning << 8 | spelling_folds[bytes[i]];
    for (unsigned i = 0; i < SPELLING_BEGINS - 1; i++)
        shorten_skip(all, bytes + i, SPELLING_BEGINS - 2 - i);
    if (all->slot_bits < MOST_SLOT_BITS && all->count * SLOTS_EACH > (size_t)1 << all->slot_bits)
        make_slots(all, all->slot_bits > 0 ? all->slot_bits + 1 : LEAST_SLOT_BITS);
    else
        put_in_slot(all, all->count - 1);
}

static void add_hex(struct spellings *all, unsigned seal, const char *value, size_t len)
{
    char *hex = mem_alloc(2 * len + 1);

    crypto_hex(value, len, hex);
    add(all, seal, ANY_CASE, false, (unsigned char *)hex, 2 * len);
}

/* The characters of base64 that hold bits of the value only, where `skip` bits of it
 * (0, 4 or 2) share a character with what stands before it. */
static void add_base64(struct spellings *all, unsigned seal, const char *value, size_t len,
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

static void add_text(struct spellings *all, unsigned seal, bool whole, const char *text, size_t len)
{
    enum alphabet alphabet = len < SHORTEST_DERIVED ? EXACT : ANY_CASE;

    add(all, seal, alphabet, whole, (unsigned char *)mem_strndup(text, len), len);
}

/* HTTP gives headers no character set. Many a service takes each byte for a character
 * (ISO 8859-1), and writes those in UTF-8. */
static void add_misread(struct spellings *all, unsigned seal, const char *value, size_t len)
{
    unsigned char   *text = mem_alloc(2 * len + 1);
    struct character c;
    size_t           done = 0;

    for (size_t i = 0; i < len; i++, done += c.count) {
        character_in_utf8(&c, (unsigned char)value[i], 0);
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
static void add_part(struct spellings *all, unsigned seal, const char *part, size_t len,
                     size_t shortest)
{
    unsigned char   *text = mem_alloc(len + 1);
    struct character c;
    size_t           at = 0, done = 0;

    for (; at < len; text[done++] = c.bytes[0])
        at += writing_percent((const unsigned char *)part + at, len - at, ' ', &c);
    if (done >= shortest) {
        add(all, seal, ANY_CASE, false, text, done);
        return;
    }
    explicit_bzero(text, len);
    free(text);
}

static void add_segments(struct spellings *all, unsigned seal, const char *path, size_t len)
{
    for (size_t at = 0, n; at < len; at += n + 1) {
        n = strcspn(path + at, "/?#");
        add_part(all, seal, path + at, n, SHORTEST_SEGMENT);
    }
}

/* "?name=value&alone": not the names. */
static void add_parameters(struct spellings *all, unsigned seal, const char *query, size_t len)
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
static void add_url_parts(struct spellings *all, unsigned seal, const char *value)
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

void spellings_add(struct seals *s, unsigned seal)
{
    static const size_t skips[] = { 0, 4, 2 };
    const char         *value = s->item[seal].value;
    size_t              len = strlen(value);

    if (len < VAULT_SHORTEST_SECRET)
        return;
    if (s->spellings == NULL) {
        s->spellings = mem_alloc(sizeof *s->spellings);
        memset(s->spellings->skip, SPELLING_BEGINS - 1, sizeof s->spellings->skip);
    }
    add_text(s->spellings, seal, true, value, len);
    add_misread(s->spellings, seal, value, len);
    if (len < SHORTEST_DERIVED)
        return;
    add_hex(s->spellings, seal, value, len);
    for (size_t i = 0; i < ARRAY_LEN(skips); i++)
        add_base64(s->spellings, seal, value, len, skips[i]);
    add_url_parts(s->spellings, seal, value);
}

void spellings_free(struct spellings *all)
{
    if (all == NULL)
        return;
    for (size_t i = 0; i < all->count; i++) {
        explicit_bzero(all->item[i].bytes, all->item[i].len);
        free(all->item[i].bytes);
    }
    explicit_bzero(all->item, all->count * sizeof *all->item);      /* beginnings */
    free(all->item);
    free(all->slot);
    free(all);
}
