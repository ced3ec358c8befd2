/* conceal.c - takes secrets out of what comes back. Declared in vault.h.
 *
 * A service echoes what it got in ways of its own: it escapes more or fewer characters
 * than we did, in one case or the other, it shows the Authorization header or a part of
 * the URL. So what is looked for is not a list of written forms: a *spelling* (the value,
 * its hex, its base64: spelling.h) is compared with the text character by character, each
 * character being read as one *writing* has it (plain, percent, JSON, HTML: writing.h).
 *
 * One pass for all of them. Where no escape is near, the third and fourth byte of a place say how
 * many places further on a spelling may begin: mostly three. Where one may begin here, the four bytes,
 * folded, are looked up. Where an escape begins among the four bytes, what they are read as in its
 * writing is looked up as well.
 *
 * One pass also, so that what was put in is not searched again, and the longest match first,
 * so that a value which begins another leaves nothing of it.
 *
 * A text can be gone through in parts: the loop serves others between them. Work is counted
 * in bytes looked at and characters compared, so that a text that was made to be slow has
 * more parts and not longer ones.
 *
 * This is against accidents. A service and a plugin that conspire need no echo, and can
 * write a secret in a way that nobody finds. */
#include "core/spelling.h"
#include "core/vault.h"
#include "core/writing.h"

#include <string.h>

struct found { const struct spelling *spelling; size_t bytes; };    /* of the text */

/* What one call of conceal_some() goes by. */
struct scan {
    const struct spellings *all;
    const unsigned char    *text;
    size_t                  bytes;
    size_t                  work;           /* done so far */
    size_t                  stop;           /* the first place that is not looked at */
    size_t                  lead[WRITINGS]; /* the next one of each writing */
};

enum { ESCAPED_WORK = 16 };                 /* a place with escapes takes as long as so many bytes */

/* ---- Comparing ---------------------------------------------------------------------------- */

/* How many bytes of the text are this spelling; 0: it does not begin with it. */
static size_t match(struct scan *scan, const struct spelling *s, writing_reader *read, size_t from)
{
    struct character c;
    size_t           at = from, done = 0;

    while (done < s->len && at < scan->bytes) {
        at += read(scan->text + at, scan->bytes - at, s->bytes[done], &c);
        for (size_t i = 0; i < c.count; i++)    /* the NUL behind it ends a character too long */
            if (!spelling_same(s->alphabet, s->bytes[done++], c.bytes[i])) {
                scan->work += done;
                return 0;
            }
    }
    scan->work += done;
    return done == s->len ? at - from : 0;
}

static size_t longest_writing(struct scan *scan, const struct spelling *s, size_t at)
{
    size_t longest = 0;

    for (size_t i = 0; i < WRITINGS; i++) {
        size_t length = match(scan, s, writings[i].read, at);
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* A longer match is better; of two equal ones, the one that has a token, then the one that was
 * added last. */
static bool is_better(const struct spelling *s, size_t bytes, const struct found *best)
{
    if (bytes != best->bytes || bytes == 0)
        return bytes > best->bytes;
    return s->whole != best->spelling->whole ? s->whole : s->seal > best->spelling->seal;
}

/* ---- Beginnings --------------------------------------------------------------------------------- */

static void try_beginning(struct scan *scan, uint32_t beginning, size_t at, struct found *best)
{
    for (unsigned i = *spellings_slot(scan->all, beginning); i != 0; i = scan->all->item[i - 1].next) {
        const struct spelling *s = &scan->all->item[i - 1];
        scan->work++;
        if (s->beginning != beginning)
            continue;
        size_t bytes = longest_writing(scan, s, at);
        if (is_better(s, bytes, best))
            *best = (struct found){ s, bytes };
    }
}

/* Of the text from `at` on as a writing has it; false where the text ends before. */
static bool read_beginning(const struct scan *scan, const struct writing *w, size_t at, uint32_t *out)
{
    const unsigned char *text = scan->text;
    struct character     c = { .count = 1 };
    size_t               count = 0;

    while (count < SPELLING_BEGINS && at < scan->bytes) {
        if (text[at] != w->lead) {          /* it folds to the same as what it can be read as */
            *out = *out << 8 | spelling_folds[text[at++]];
            count++;
            continue;
        }
        at += w->read(text + at, scan->bytes - at, 0, &c);
        for (size_t i = 0; i < c.count && count < SPELLING_BEGINS; i++, count++)
            *out = *out << 8 | spelling_folds[c.bytes[i]];
    }
    return count == SPELLING_BEGINS;
}

static uint32_t plain_beginning(const unsigned char *text)
{
    return (uint32_t)spelling_folds[text[0]] << 24 | (uint32_t)spelling_folds[text[1]] << 16 |
           (uint32_t)spelling_folds[text[2]] << 8 | (uint32_t)spelling_folds[text[3]];
}

/* A writing reads the first bytes otherwise than they are only where its lead is among them. */
static struct found spelling_at(struct scan *scan, size_t at)
{
    struct found best = { NULL, 0 };
    uint32_t     plain = plain_beginning(scan->text + at), beginning = 0;

    try_beginning(scan, plain, at, &best);
    for (size_t i = WRITING_PLAIN + 1; i < WRITINGS; i++) {
        if (scan->lead[i] >= at + SPELLING_BEGINS)
            continue;
        scan->work += ESCAPED_WORK;
        if (read_beginning(scan, &writings[i], at, &beginning) && beginning != plain)
            try_beginning(scan, beginning, at, &best);
    }
    return best;
}

/* ---- Going through ---------------------------------------------------------------------------------- */

static void find_lead(struct scan *scan, size_t writing, size_t at)
{
    size_t      end = scan->stop + SPELLING_BEGINS - 1;
    const void *found = memchr(scan->text + at, writings[writing].lead, end - at);

    scan->lead[writing] = found ? (size_t)((const unsigned char *)found - scan->text) : end;
}

static size_t nearest_lead(struct scan *scan, size_t at)
{
    size_t nearest = SIZE_MAX;

    for (size_t i = WRITING_PLAIN + 1; i < WRITINGS; i++) {
        if (scan->lead[i] < at)
            find_lead(scan, i, at);
        nearest = scan->lead[i] < nearest ? scan->lead[i] : nearest;
    }
    return nearest;
}

static unsigned skip_at(const struct spellings *all, const unsigned char *text)
{
    return all->skip[spelling_pair(text[0], text[1])];
}

/* The first place before `end` where a spelling may begin, or `end`. No escape is near; the four
 * looks of a step do not wait for each other. */
static size_t skim_plain(const struct spellings *all, const unsigned char *text, size_t at, size_t end)
{
    enum { FAR = SPELLING_BEGINS - 1, STEP = 4 * FAR };

    while (at < end) {
        const unsigned char *third = text + at + 2;
        if (end - at > STEP && (skip_at(all, third) & skip_at(all, third + FAR) &
                                skip_at(all, third + 2 * FAR) & skip_at(all, third + 3 * FAR)) == FAR) {
            at += STEP;
            continue;
        }
        unsigned places = skip_at(all, third);
        if (places == 0 && *spellings_slot(all, plain_beginning(text + at)) != 0)
            return at;
        at += places > 0 ? places : 1;
    }
    return end;
}

/* Where a lead is the third or fourth byte of a place: can the first two begin a spelling? */
static bool may_begin(const struct spellings *all, const unsigned char *text)
{
    return skip_at(all, text) < SPELLING_BEGINS - 1;
}

/* The first place from `at` on where a spelling may begin, or scan->stop. */
static size_t skim(struct scan *scan, size_t at)
{
    size_t lead = nearest_lead(scan, at);
    size_t near = lead > at + 3 ? lead - 3 : at;        /* from here to the lead */

    at = skim_plain(scan->all, scan->text, at, near);
    if (at < near)
        return at;
    while (at < scan->stop && at + 1 < lead && !may_begin(scan->all, scan->text + at))
        at++;
    return at < scan->stop ? at : scan->stop;
}

static enum mh_err put_found(struct concealing *c, const struct found *found, struct buf *out)
{
    const char *token = c->seals->item[found->spelling->seal].token;
    enum mh_err err = buf_append(out, c->text + c->copied, c->at - c->copied);

    if (err == MH_OK)
        err = buf_puts(out, found->spelling->whole ? token : "***");
    c->at += found->bytes;
    c->copied = c->at;
    return err;
}

/* Goes on from c->at, until the work is done or there is an error. */
static enum mh_err go_through(struct concealing *c, struct scan *scan, size_t work, struct buf *out)
{
    enum mh_err err = MH_OK;

    for (size_t i = WRITING_PLAIN + 1; i < WRITINGS; i++)
        find_lead(scan, i, c->at);
    while (err == MH_OK && c->at < scan->stop && scan->work < work) {
        size_t from = c->at;
        c->at = skim(scan, from);
        scan->work += c->at - from + 1;
        if (c->at >= scan->stop)
            break;
        struct found found = spelling_at(scan, c->at);
        if (found.spelling != NULL)
            err = put_found(c, &found, out);
        else
            c->at++;
    }
    return err;
}

enum mh_err conceal_some(struct concealing *c, size_t work, struct buf *out)
{
    bool        any = c->seals->spellings != NULL && c->bytes >= SPELLING_BEGINS;
    size_t      last = any ? c->bytes - SPELLING_BEGINS + 1 : 0;    /* behind the last beginning */
    enum mh_err err = MH_OK;

    if (c->at < last) {
        struct scan scan = { .all = c->seals->spellings, .text = (const unsigned char *)c->text,
                             .bytes = c->bytes,
                             .stop = last - c->at > work ? c->at + work : last };
        err = go_through(c, &scan, work, out);
    }
    if (err != MH_OK || c->at < last)
        return err;
    c->done = true;
    return c->copied > 0 ? buf_append(out, c->text + c->copied, c->bytes - c->copied) : MH_OK;
}

enum mh_err seals_conceal(const struct seals *s, const char *text, size_t bytes, struct buf *out)
{
    struct concealing c = { .seals = s, .text = text, .bytes = bytes };
    enum mh_err       err = conceal_some(&c, SIZE_MAX, out);

    return err == MH_OK && c.copied == 0 ? buf_append(out, text, bytes) : err;
}
