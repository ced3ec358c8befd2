/* spelling.h - what is looked for in a text that may hold secrets: for each value a few spellings
 * (as it is, taken for ISO 8859-1, its hex, its base64, parts of a URL), found by how they begin. Of
 * vault.h's modules only; spelling.c makes them, conceal.c looks for them.
 *
 * A beginning is the first SPELLING_BEGINS characters, folded, in one number: characters that are the
 * same in some alphabet or writing fold to one. Each spelling has as many at least. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPELLING_BEGINS = 4, SPELLING_PAIR_BITS = 12 };

enum alphabet { EXACT, ANY_CASE, BASE64 };  /* BASE64: the two alphabets are one */

struct spelling {
    unsigned char *bytes;                   /* NUL behind it */
    size_t         len;
    uint32_t       beginning;
    enum alphabet  alphabet;
    unsigned       seal;
    bool           whole;                   /* says the value: its token says the same */
    unsigned       next;                    /* in the same slot, by index + 1; 0: none */
};

struct spellings {
    struct spelling *item;
    size_t           count, cap;
    unsigned        *slot;                  /* by the beginning: index + 1; 0: none */
    unsigned         slot_bits;             /* how many there are, as a power of two */
    /* By the third and fourth byte of a place: no spelling begins, unescaped, before so many
     * places further on. 0: one may begin here. */
    unsigned char    skip[1 << SPELLING_PAIR_BITS];
};

/* Folds a character. Of what is written as '+', a space can be meant. */
extern const unsigned char spelling_folds[256];

static inline unsigned spelling_pair(unsigned char first, unsigned char second)
{
    return (unsigned)(spelling_folds[first] << 5 ^ spelling_folds[second]) &
           ((1 << SPELLING_PAIR_BITS) - 1);
}

bool spelling_same(enum alphabet alphabet, unsigned char a, unsigned char b);

/* Where the first spelling is named that may begin so; others follow by its `next`. */
static inline unsigned *spellings_slot(const struct spellings *all, uint32_t beginning)
{
    return &all->slot[beginning * 2654435769u >> (32 - all->slot_bits)];    /* 2^32 / golden ratio */
}
