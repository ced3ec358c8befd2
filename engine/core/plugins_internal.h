/* plugins_internal.h - what the files of all plugins share, and nobody else sees: plugins.c
 * (the set), plugins_op.c (an operation's beginning and end), plugins_change.c (its steps),
 * plugins_switch.c (on, off, gone), plugins_follow.c (what other engines did). */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "core/leftovers.h"
#include "core/plugins.h"

struct entry {
    char           name[MH_ID_BYTES];
    struct plugin *plugin;                  /* NULL while its install is under way */
    bool           enabled, busy;
    int64_t        revision;                /* of what memory has (store.h) */
    json_t        *news;                    /* told of it while it was busy; NULL: removed */
    int64_t        news_revision;           /* 0: nothing was told */
    struct watch  *watch;                   /* NULL where none is wanted, or no folder */
};

struct plugins {
    struct plugins_spec spec;
    struct map          entries;            /* by name */
    struct list         ops;                /* under way */
    struct start_line   starts;
    struct leftovers   *leftovers;          /* of plugins that are no more */
};

struct op {
    struct list           node;             /* in ps->ops */
    struct plugins       *ps;               /* NULL: answered, and only waited for (see orphan) */
    struct entry         *entry;            /* NULL until the name is known */
    char                  name[MH_ID_BYTES];    /* of one that waits */
    void                (*begin)(struct op *op);    /* also once more, where another engine was faster */
    bool                  install, trying, enable;
    bool                  waiting;          /* until what the other engine did is done here */
    unsigned              tries;
    int64_t               revision;         /* under which it is in Redis */
    bool                  prepared;         /* what its setup stores is noted */
    bool                  heard;            /* another engine did it: it is in Redis already */
    char                 *source;
    json_t               *files, *given;    /* the configuration as given; NULL: as it is */
    struct plugin_version version;          /* what is to become */
    struct plugin        *plugin;           /* of an install, until it is committed */
    plugins_done         *done;
    void                 *arg;
};

/* ---- plugins.c ---- */

struct entry *plugins_add_entry(struct plugins *ps, const char *name);
/* `seen`: the files as they were read; NULL: as they are now. */
void plugins_watch_entry(struct plugins *ps, struct entry *e, json_t *seen);
void plugins_load_one(struct plugins *ps, const char *name, const json_t *stored, int64_t revision);
void plugins_entry_free(void *entry);

/* ---- plugins_op.c ---- */

struct op *plugins_op_new(struct plugins *ps, plugins_done *done, void *arg);

/* An operation on an installed plugin; NULL when it was refused. */
struct op *plugins_op(struct plugins *ps, const char *name, plugins_done *done, void *arg);

/* Each answers, undoes what the operation began where it failed, and frees it. Takes `answer`. */
void plugins_finish(struct op *op, enum mh_err err, json_t *answer);
void plugins_refuse(struct op *op, enum mh_err err, const char *format, ...) MH_PRINTF(3, 4);

/* The engine stops in the middle: the operation is answered, and freed by the callback that
 * it waits for, which begins with plugins_is_orphan(); a trial is abandoned and has none. */
void plugins_orphan(struct op *op);
bool plugins_is_orphan(struct op *op);      /* true: it was, and is freed */

/* Writes the plugin's record; `done` gets the operation and begins with plugins_was_not_stored(),
 * unless it has more to undo. True: the operation ends there, with its engine, or refused. */
void plugins_store_version(struct op *op, const struct plugin_version *v,
                           const struct plugin_version *before, bool enabled, store_done *done);
bool plugins_was_not_stored(struct op *op, enum mh_err err);
/* Ends what was not stored, or has it begin again. */
void plugins_not_stored(struct op *op, enum mh_err err);

/* ---- plugins_follow.c ---- */

/* What is stored was not what `op` is based on: it begins again once that is followed. */
void plugins_again(struct op *op);
/* Whoever waits goes on, where nothing is under way any more. */
void plugins_wake(struct plugins *ps);

/* ---- plugins_op.c, too ---- */

/* What the plugin stored; nothing of it runs any more that could put something there again. */
void plugins_forget_store(struct plugins *ps, const char *name, store_done *done, void *arg);

/* ---- plugins_change.c ---- */

/* A plugin_tried for an operation: stores, commits and answers. */
void plugins_on_tried(void *arg, enum mh_err err, const char *message);
