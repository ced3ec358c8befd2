/* map.h - text keys to pointers, sorted by key.
 *
 * A face for libc's balanced tree (tsearch). Keys are borrowed: they live
 * inside the value that they name, for as long as the value is in the map. */
#pragma once

#include <stddef.h>

struct map {
    void  *root;
    size_t count;
};

void *map_get(const struct map *m, const char *key);            /* NULL when absent */

/* Puts `value` under `key`, which the value must own. Returns the value that
 * was there before, which the map then no longer holds, or NULL. */
void *map_put(struct map *m, const char *key, void *value);
void *map_remove(struct map *m, const char *key);               /* NULL when absent */

/* Calls `visit` for each value in the order of keys; a result other than 0 ends
 * the walk and is returned. The map must not change meanwhile. */
int map_each(const struct map *m, int (*visit)(void *value, void *arg), void *arg);

/* Empties the map, giving every value to `release` (may be NULL). */
void map_clear(struct map *m, void (*release)(void *value));
