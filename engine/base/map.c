/* map.c - see map.h. Entries are small heap nodes in a tsearch tree. */
#include "base/map.h"

#include "base/util.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct map_entry { const char *key; void *value; };

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct map_entry *)a)->key, ((const struct map_entry *)b)->key);
}

void *map_get(const struct map *m, const char *key)
{
    struct map_entry probe = { key, NULL };
    void       **node = tfind(&probe, &m->root, compare);
    return node ? (*(struct map_entry **)node)->value : NULL;
}

void *map_put(struct map *m, const char *key, void *value)
{
    struct map_entry  *fresh = mem_alloc(sizeof *fresh);
    *fresh = (struct map_entry){ key, value };
    struct map_entry **node = tsearch(fresh, &m->root, compare);
    if (node == NULL)
        abort();
    if (*node == fresh) {
        m->count++;
        return NULL;
    }
    void *old = (*node)->value;
    **node = *fresh;
    free(fresh);
    return old;
}

void *map_remove(struct map *m, const char *key)
{
    struct map_entry probe = { key, NULL };
    void       **node = tfind(&probe, &m->root, compare);
    if (node == NULL)
        return NULL;
    struct map_entry *entry = *(struct map_entry **)node;
    void         *value = entry->value;
    tdelete(entry, &m->root, compare);
    free(entry);
    m->count--;
    return value;
}

struct walk { int (*visit)(void *, void *); void *arg; int result; };

static void walk_node(const void *node, VISIT order, void *closure)
{
    struct walk *w = closure;
    if (w->result == 0 && (order == postorder || order == leaf))
        w->result = w->visit((*(struct map_entry *const *)node)->value, w->arg);
}

int map_each(const struct map *m, int (*visit)(void *value, void *arg), void *arg)
{
    struct walk w = { visit, arg, 0 };
    twalk_r(m->root, walk_node, &w);
    return w.result;
}

void map_clear(struct map *m, void (*release)(void *value))
{
    while (m->root != NULL) {
        struct map_entry *entry = *(struct map_entry **)m->root;
        void         *value = entry->value;
        tdelete(entry, &m->root, compare);
        free(entry);
        if (release != NULL)
            release(value);
    }
    m->count = 0;
}
