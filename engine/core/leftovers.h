/* leftovers.h - what plugins that are no more have stored (moonhook.store), until it is forgotten.
 *
 * It is noted in Redis before it can be without an owner (store.h, "What an entry leaves elsewhere"):
 * by the removal of a plugin, and by an install before the plugin's setup may store anything. Whatever
 * is lost in between, Redis or an engine, the note is there, and its engine, or another when that one is
 * gone, forgets. It tries again until it succeeds. */
#pragma once

#include "core/broker_store.h"
#include "core/store.h"

struct leftovers;

struct leftovers_spec {                     /* all borrowed, while it is not freed */
    uv_loop_t     *loop;
    struct store  *store;
    struct broker *broker;
    /* A plugin of this name is here, or is being installed. */
    bool         (*in_use)(void *arg, const char *plugin);
    void          *arg;
};

struct leftovers *leftovers_new(const struct leftovers_spec *spec);
/* Whoever waits is told MH_UNAVAILABLE, and nothing is called after this; frees on a later turn of the
 * loop. What is noted stays so. */
void leftovers_free(struct leftovers *l);

/* From now on looks for what engines that are gone have left, or this one without knowing. */
void leftovers_begin(struct leftovers *l);

/* A plugin is about to be installed: nothing of an earlier one of its name is left when `done` comes
 * with MH_OK, and what this one stores is noted until it is stored itself or leftovers_forget() is
 * called; else MH_CONFLICT (another engine installs it, or forgets) or MH_UNAVAILABLE. MH_CONFLICT as
 * what this returns: it is being forgotten here, and `done` is not called. Else it comes once, not inside. */
MH_MUST_USE enum mh_err leftovers_prepare(struct leftovers *l, const char *plugin,
                                          store_done *done, void *arg);

/* Forgets what `plugin` stored; nothing of it runs any more here. Its removal, or
 * leftovers_prepare(), has noted it. `done` (may be NULL) comes once, not inside, after the first try:
 * MH_UNAVAILABLE says that it is tried again. */
void leftovers_forget(struct leftovers *l, const char *plugin, store_done *done, void *arg);
