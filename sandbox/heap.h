/* heap.h - the memory of one Lua state, counted and capped. Past the cap Lua
 * raises "not enough memory" inside the plugin; the host goes on. */
#pragma once

#include <stddef.h>

struct heap { size_t used_bytes, max_bytes; };

/* A lua_Alloc; `heap` is a struct heap. */
void *heap_alloc(void *heap, void *block, size_t old_bytes, size_t new_bytes);
