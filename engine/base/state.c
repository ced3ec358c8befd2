/* state.c - see state.h. */
#include "base/state.h"

#include "base/log.h"

#include <stdlib.h>

void state_move(const struct state *table, unsigned *now, unsigned to, const char *kind,
                const char *who)
{
    if ((table[*now].next & STATE(to)) == 0) {
        LOG_ERROR("state_broken", "%s=%s from=%s to=%s", kind, who, table[*now].name,
                  table[to].name);
        abort();
    }
    LOG_DEBUG("state", "%s=%s from=%s to=%s", kind, who, table[*now].name, table[to].name);
    *now = to;
}
