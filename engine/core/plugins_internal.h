/* plugins_internal.h - what plugins.c (what operators do) and plugins_follow.c (what other
 * engines did) share. */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "core/plugins.h"

struct entry {
    char           name[MH_ID_BYTES];
    struct plugin *plugin;                  /* NULL while its install is under way */
    bool           enabled, busy;
    struct watch  *watch;                   /* NULL where none is wanted, or no folder */
};

struct plugins {
    struct plugins_spec spec;
    struct map          entries;            /* by name */
    struct list         ops;                /* under way */
    struct start_line   starts;
};

struct op {
    struct list           node;             /* in ps->ops */
    struct plugins       *ps;               /* NULL: answered, and only waited for (see orphan) */
    struct entry         *entry;            /* NULL until the name is known */
    bool                  install, trying;
    bool                  heard;            /* another engine did it: it is in Redis already */
    char                 *source;
    json_t               *files, *given;    /* the configuration as given; NULL: as it is */
    struct plugin_version version;          /* what is to become */
    struct plugin        *plugin;           /* of an install, until it is committed */
    plugins_done         *done;
    void                 *arg;
};

/* An operation on an installed plugin; NULL when it was refused. */
struct op *plugins_op(struct plugins *ps, const char *name, plugins_done *done, void *arg);

/* A plugin_tried for an operation: stores, commits and answers. */
void plugins_on_tried(void *arg, enum mh_err err, const char *message);

void plugins_load_one(struct plugins *ps, const char *name, const json_t *stored);
void plugins_entry_free(void *entry);
