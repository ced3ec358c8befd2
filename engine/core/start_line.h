/* start_line.h - how many plugins start at once. One event may wake a thousand of them:
 * in line they hold up neither the loop nor each other past their deadlines. */
#pragma once

#include "base/list.h"

enum { START_LINE_AT_ONCE = 8 };

struct start_turn {
    struct list node;                       /* in waiting */
    void      (*go)(struct start_turn *);
    bool        under_way;
};

struct start_line {
    struct list waiting;
    unsigned    under_way;
    bool        pumping, closed;
};

void start_line_init(struct start_line *l);
void start_turn_init(struct start_turn *t, void (*go)(struct start_turn *));

/* `go` comes once, inside or later, and may leave at once. */
void start_line_enter(struct start_line *l, struct start_turn *t);
/* It has started, or failed, or is no longer wanted. May be called at any time. */
void start_line_leave(struct start_line *l, struct start_turn *t);
/* Nobody's turn comes any more. */
void start_line_close(struct start_line *l);
