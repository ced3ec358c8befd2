/* trace.c - see trace.h. */
#include "trace.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_FRAMES = 16, LAST_FRAMES = 8 };

static int depth_of(lua_State *L)
{
    lua_Debug ar;
    int       low = 0, high = 1;

    while (lua_getstack(L, high, &ar)) {
        low = high;
        high *= 2;
    }
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (lua_getstack(L, middle, &ar))
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* The frame that a fault of the VM itself ended has lost its line; the message has it. */
static int describe_place(const lua_Debug *ar, char *out, size_t size)
{
    if (ar->currentline < 0)
        return snprintf(out, size, "\n\t%s: ", ar->short_src);
    return snprintf(out, size, "\n\t%s:%d: ", ar->short_src, ar->currentline);
}

static int describe_function(const lua_Debug *ar, char *out, size_t size)
{
    if (*ar->what == 'm')
        return snprintf(out, size, "in main chunk");
    if (*ar->namewhat)
        return snprintf(out, size, "in function '%s'", ar->name);
    return snprintf(out, size, "in function <%s:%d>", ar->short_src, ar->linedefined);
}

static size_t describe(const lua_Debug *ar, char *out, size_t size)
{
    if (*ar->what == 'C')
        return (size_t)snprintf(out, size, "\n\t[C]: in %s",
                                *ar->namewhat ? ar->name : "a function");
    size_t used = (size_t)describe_place(ar, out, size);
    if (used < size)
        used += (size_t)describe_function(ar, out + used, size - used);
    return used;
}

void trace_write(lua_State *L, int level, char *out, size_t size)
{
    lua_Debug ar;
    int       depth = depth_of(L);
    size_t    used = (size_t)snprintf(out, size, "stack traceback:");

    for (int i = level; used < size && i < depth && lua_getstack(L, i, &ar); i++) {
        if (i == level + FIRST_FRAMES && depth - LAST_FRAMES > i) {
            used += (size_t)snprintf(out + used, size - used, "\n\t...");
            i = depth - LAST_FRAMES;
            lua_getstack(L, i, &ar);
        }
        if (used >= size)
            break;
        lua_getinfo(L, "Snl", &ar);
        used += describe(&ar, out + used, size - used);
    }
}
