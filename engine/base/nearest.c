/* nearest.c - edit distance (Levenshtein) over one row; words are short. */
#include "base/nearest.h"

#include <string.h>

enum { MAX_LETTERS = 48 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* row[j] is the distance between what was read of `a` and the first j letters of `b`. */
static unsigned edits(const char *a, const char *b, size_t b_letters)
{
    unsigned row[MAX_LETTERS + 1];

    for (unsigned j = 0; j <= b_letters; j++)
        row[j] = j;
    for (unsigned i = 0; a[i] != '\0'; i++) {
        unsigned diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 1; j <= b_letters; j++) {
            unsigned above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_letters];
}

void nearest_offer(struct nearest *n, const char *candidate)
{
    size_t letters = strlen(candidate), written = strlen(n->word);

    if (letters > MAX_LETTERS || written > MAX_LETTERS)
        return;
    unsigned allowed = (unsigned)(letters / 3 > 2 ? letters / 3 : 2);
    unsigned distance = edits(n->word, candidate, letters);
    if (distance > allowed || distance >= letters || (n->best && distance >= n->distance))
        return;
    n->best = candidate;
    n->distance = distance;
}
