/* trace.h - tracebacks without addresses: Lua's own tell where C functions lie. */
#pragma once

#include <lua.h>
#include <stddef.h>

enum { TRACE_BYTES = 8192 };

/* Writes the stack of L from `level` on, one line a frame, NUL-terminated and cut
 * in the middle where it is deep. Allocates nothing, raises nothing. */
void trace_write(lua_State *L, int level, char *out, size_t size);
