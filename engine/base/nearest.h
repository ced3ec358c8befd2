/* nearest.h - "did you mean": the known word closest to one that was mistyped.
 *
 *     struct nearest near = { .word = "lisen" };
 *     nearest_offer(&near, "listen");          for every word that there is
 *     near.best                                "listen", or NULL where none is close */
#pragma once

#include <stddef.h>

struct nearest {
    const char *word;                       /* what was written; borrowed */
    const char *best;                       /* the closest so far; borrowed from the offers */
    unsigned    distance;                   /* edits between the two, while best is set */
};

/* Close means: at most one edit in three letters, and two edits in short words. */
void nearest_offer(struct nearest *n, const char *candidate);
