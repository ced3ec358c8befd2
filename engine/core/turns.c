/* turns.c - see turns.h. */
#include "core/turns.h"

#include "base/util.h"

enum { LOOKS = 64 };                        /* at those in line, in one call */

static bool needs_place(const struct target *t) { return t->ops->kind == TARGET_WEBHOOK; }

void turns_init(struct turns *s, size_t most)
{
    *s = (struct turns){ .most = most };
    list_init(&s->waiting);
}

static bool has_share(const struct turns *s, const struct target *t)
{
    size_t free_places = s->taken < s->most ? s->most - s->taken : 0;
    return free_places > 0 && (t->in_flight == 0 || t->in_flight < free_places);
}

bool turns_has_place(const struct turns *s, const struct target *t, int64_t now_ms)
{
    bool first = list_empty(&s->waiting) || now_ms < t->turn_until_ms;
    return !needs_place(t) || (first && has_share(s, t));
}

bool turns_may(struct turns *s, struct target *t, int64_t now_ms)
{
    if (turns_has_place(s, t, now_ms))
        return true;
    if (list_empty(&t->turn))
        list_push_back(&s->waiting, &t->turn);
    return false;
}

void turns_take(struct turns *s, const struct target *t) { s->taken += needs_place(t); }
void turns_give(struct turns *s, const struct target *t) { s->taken -= needs_place(t); }

struct target *turns_next(struct turns *s, int64_t now_ms)
{
    for (int looks = 0; looks < LOOKS && s->taken < s->most && !list_empty(&s->waiting); looks++) {
        struct list   *node = list_pop_front(&s->waiting);
        struct target *t = container_of(node, struct target, turn);
        if (has_share(s, t)) {
            t->turn_until_ms = now_ms + TURN_MS;
            return t;
        }
        list_push_back(&s->waiting, node);
    }
    return NULL;
}

void turns_leave(struct target *t) { list_unlink(&t->turn); }
