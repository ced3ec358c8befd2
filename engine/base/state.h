/* state.h - one function moves a state, along a table of allowed transitions.
 *
 *     static const struct state states[] = {
 *         [READY]   = { "ready",   STATE(DRAINING) | STATE(BACKOFF) },
 *         [STOPPED] = { "stopped", 0 },
 *     };
 *     state_move(states, &plugin->state, DRAINING, "plugin", plugin->name);
 */
#pragma once

#define STATE(n) (1u << (n))

struct state {
    const char *name;
    unsigned    next;                       /* bits of the states that may follow */
};

/* Moves *now to `to` and logs it at debug level; a transition that the table
 * does not have is a bug of ours and aborts. */
void state_move(const struct state *table, unsigned *now, unsigned to, const char *kind,
                const char *who);
