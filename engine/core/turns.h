/* turns.h - attempts at all webhook endpoints together: at most so many at once, however many
 * endpoints there are, and fair between them. Pure.
 *
 * An endpoint has no more attempts under way than there are free places: N endpoints that hang
 * leave one place in N + 1 free, and one alone may have half. One without any may always have
 * a free place. Whoever wants one and gets none stands in line, and gets one when its turn
 * comes, first come, first served. A turn is TURN_MS long, so that one attempt at an endpoint
 * that hangs and many at one that answers count the same. Plugins have bounds of their own and
 * need no place. The caller brings the clock (monotonic). */
#pragma once

#include "core/target.h"

enum { TURN_MS = 1000 };

struct turns {
    size_t      most, taken;
    struct list waiting;                    /* targets, by their `turn` */
};

void turns_init(struct turns *s, size_t most);

/* May `t` begin one more attempt? If not, it stands in line, and turns_next() gives it. */
bool turns_may(struct turns *s, struct target *t, int64_t now_ms);
/* The same without standing in line. */
bool turns_has_place(const struct turns *s, const struct target *t, int64_t now_ms);

/* An attempt begins, with t->in_flight as before it; one ended. */
void turns_take(struct turns *s, const struct target *t);
void turns_give(struct turns *s, const struct target *t);

/* Whose turn it is, out of the line: it begins now. NULL: there is nobody, or no place for whom
 * was looked at; the end of an attempt is the time to ask again. */
struct target *turns_next(struct turns *s, int64_t now_ms);
/* `t` begins nothing any more. */
void turns_leave(struct target *t);
