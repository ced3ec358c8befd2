/* plugins.h - all installed plugins, and what operators do with them.
 *
 * Each operation ends in one callback. A plugin has at most one operation at a
 * time; a second is MH_CONFLICT. What is answered with MH_OK is in Redis. */
#pragma once

#include "core/plugin.h"
#include "core/store.h"
#include "core/vault.h"

struct plugins;

struct plugins_spec {
    struct plugin_spec plugin;
    struct store      *store;
    struct vault      *vault;
    const char *const *dirs;                /* folders of plugin folders; NULL at the end */
    bool               watch;               /* reload what changes on the disk */
};

struct plugins *plugins_new(const struct plugins_spec *spec);
/* Ends every process; calls under way end uncharged, operations as MH_UNAVAILABLE. */
void plugins_free(struct plugins *ps);

/* Knows what is installed from then on; processes start with the first event (but see
 * plugin_rest()). One broken plugin keeps nothing else from starting. */
void plugins_load(struct plugins *ps, store_done *done, void *arg);

store_heard plugins_heard;                  /* of "plugins", with the plugins as its arg */

/* `answer` (borrowed) on MH_OK; else {"detail", "errors"?: [{"pointer","detail"}]}. */
typedef void plugins_done(void *arg, enum mh_err err, json_t *answer);

/* `source`: the name of a folder in `dirs`, or "file:FOLDER". `config` may be NULL. */
void plugins_install(struct plugins *ps, const char *source, const json_t *config,
                     plugins_done *done, void *arg);
void plugins_configure(struct plugins *ps, const char *name, const json_t *config,
                       plugins_done *done, void *arg);
/* Reads its source again. Wanting more permissions than approved is MH_FORBIDDEN. */
void plugins_reload(struct plugins *ps, const char *name, plugins_done *done, void *arg);
/* Goes back to the version before, with its configuration; a second time, forward again.
 * MH_CONFLICT when there is none. */
void plugins_rollback(struct plugins *ps, const char *name, plugins_done *done, void *arg);
void plugins_enable(struct plugins *ps, const char *name, bool enabled, plugins_done *done,
                    void *arg);
void plugins_uninstall(struct plugins *ps, const char *name, plugins_done *done, void *arg);

/* Manifests of everything in `dirs` that loads: the array of GET /api/plugins/available.
 * The spec is borrowed during the call, its plugin.host until `done`. */
void plugins_survey(const struct plugins_spec *spec, plugins_done *done, void *arg);
void plugins_available(struct plugins *ps, plugins_done *done, void *arg);

json_t *plugins_describe(const struct plugins *ps);             /* array; caller owns */
bool   plugins_is_busy(const struct plugins *ps, const char *name);     /* with an operation */
struct plugin *plugins_find(const struct plugins *ps, const char *name);    /* or NULL */
