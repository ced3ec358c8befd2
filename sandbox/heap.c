/* heap.c - see heap.h. glibc's malloc does the work: with one thread and no
 * contention it is as fast here as LuaJIT's own allocator. */
#include "heap.h"

#include <stdlib.h>

void *heap_alloc(void *arg, void *block, size_t old_bytes, size_t new_bytes)
{
    struct heap *heap = arg;

    if (new_bytes == 0) {
        heap->used_bytes -= old_bytes;
        free(block);
        return NULL;
    }
    /* A block that shrinks is never refused: Lua does not expect that. */
    if (new_bytes > old_bytes && new_bytes - old_bytes > heap->max_bytes - heap->used_bytes)
        return NULL;
    void *moved = realloc(block, new_bytes);
    if (moved != NULL)
        heap->used_bytes += new_bytes - old_bytes;
    return moved;
}
