/* start_line.c - see start_line.h. */
#include "core/start_line.h"

#include "base/util.h"

void start_line_init(struct start_line *l)
{
    *l = (struct start_line){ .under_way = 0 };
    list_init(&l->waiting);
}

void start_turn_init(struct start_turn *t, void (*go)(struct start_turn *))
{
    *t = (struct start_turn){ .go = go };
    list_init(&t->node);
}

/* Whoever leaves inside `go` is followed by the loop that is running. */
static void pump(struct start_line *l)
{
    struct list *node;

    if (l->pumping)
        return;
    l->pumping = true;
    while (!l->closed && l->under_way < START_LINE_AT_ONCE &&
           (node = list_pop_front(&l->waiting)) != NULL) {
        struct start_turn *t = container_of(node, struct start_turn, node);
        t->under_way = true;
        l->under_way++;
        t->go(t);
    }
    l->pumping = false;
}

void start_line_enter(struct start_line *l, struct start_turn *t)
{
    list_push_back(&l->waiting, &t->node);
    pump(l);
}

void start_line_leave(struct start_line *l, struct start_turn *t)
{
    list_unlink(&t->node);
    if (!t->under_way)
        return;
    t->under_way = false;
    l->under_way--;
    pump(l);
}

void start_line_close(struct start_line *l) { l->closed = true; }
