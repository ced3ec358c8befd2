/* plugins.c - the set of installed plugins: loaded at start, found by name, described. What
 * changes it: plugins_change.c, plugins_switch.c and, when another engine did it,
 * plugins_follow.c. */
#include "core/plugins_internal.h"

#include "base/log.h"
#include "core/plugins_record.h"
#include "core/source.h"
#include "core/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool in_use(void *arg, const char *name)
{
    const struct plugins *ps = arg;
    return map_get(&ps->entries, name) != NULL;
}

struct plugins *plugins_new(const struct plugins_spec *spec)
{
    struct plugins *ps = mem_alloc(sizeof *ps);
    ps->spec = *spec;
    ps->spec.plugin.starts = &ps->starts;
    start_line_init(&ps->starts);
    list_init(&ps->ops);
    ps->leftovers = leftovers_new(&(struct leftovers_spec){
        .loop = spec->plugin.host->loop, .store = spec->store, .broker = spec->plugin.host->broker,
        .in_use = in_use, .arg = ps });
    return ps;
}

void plugins_entry_free(void *value)
{
    struct entry *e = value;
    if (e->watch != NULL)
        watch_stop(e->watch);
    if (e->plugin != NULL)
        plugin_remove(e->plugin);
    json_decref(e->news);
    free(e);
}

void plugins_free(struct plugins *ps)
{
    start_line_close(&ps->starts);
    while (!list_empty(&ps->ops))
        plugins_orphan(container_of(ps->ops.next, struct op, node));
    leftovers_free(ps->leftovers);
    map_clear(&ps->entries, plugins_entry_free);
    free(ps);
}

struct plugin *plugins_find(const struct plugins *ps, const char *name)
{
    const struct entry *e = map_get(&ps->entries, name);
    return e ? e->plugin : NULL;
}

bool plugins_is_busy(const struct plugins *ps, const char *name)
{
    const struct entry *e = map_get(&ps->entries, name);
    return e != NULL && e->busy;
}

static int describe_one(void *value, void *arg)
{
    const struct entry *e = value;
    if (e->plugin != NULL)
        json_array_append_new(arg, plugin_describe(e->plugin));
    return 0;
}

json_t *plugins_describe(const struct plugins *ps)
{
    json_t *all = json_array();
    map_each(&ps->entries, describe_one, all);
    return all;
}

void plugins_available(struct plugins *ps, plugins_done *done, void *arg)
{
    plugins_survey(&ps->spec, done, arg);
}

/* ---- Loading at start ------------------------------------------------------------------ */

struct entry *plugins_add_entry(struct plugins *ps, const char *name)
{
    struct entry *e = mem_alloc(sizeof *e);

    snprintf(e->name, sizeof e->name, "%s", name);
    map_put(&ps->entries, e->name, e);
    return e;
}

/* `seen`: the files as they were read; NULL: as they are now. */
void plugins_watch_entry(struct plugins *ps, struct entry *e, json_t *seen)
{
    const char *source = plugin_version(e->plugin)->source;
    char       *folder = ps->spec.watch ? source_folder(ps->spec.dirs, source) : NULL;

    if (folder != NULL)
        e->watch = watch_start(ps, ps->spec.plugin.host->loop, e->name, folder, seen);
    free(folder);
}

void plugins_load_one(struct plugins *ps, const char *name, const json_t *stored, int64_t revision)
{
    struct plugin_version v, before;

    enum mh_err err = plugins_record_read(ps->spec.vault, stored, &v, &before);
    if (err != MH_OK || strcmp(v.manifest.name, name) != 0) {
        LOG_ERROR("plugin_not_loaded", "plugin=%s error=%s do=\"install it again\"", name,
                  err_code(err));
        if (err == MH_OK) {
            plugin_version_deinit(&v);
            plugin_version_deinit(&before);
        }
        return;
    }
    struct entry *e = plugins_add_entry(ps, name);
    e->revision = revision;
    e->enabled = json_bool_of(stored, "enabled", true);
    e->plugin = plugin_new(&ps->spec.plugin, &v);
    plugin_set_before(e->plugin, &before);
    dispatch_add_target(ps->spec.plugin.dispatch, plugin_target(e->plugin));
    plugins_watch_entry(ps, e, NULL);
    if (e->enabled)
        plugin_rest(e->plugin);
}

struct loading { struct plugins *ps; store_done *done; void *arg; };

static void load_stored(void *arg, const char *name, const json_t *stored, int64_t revision)
{
    struct loading *l = arg;
    plugins_load_one(l->ps, name, stored, revision);
}

static void on_loaded(void *arg, enum mh_err err)
{
    struct loading *l = arg;

    if (err == MH_OK)
        leftovers_begin(l->ps->leftovers);
    l->done(l->arg, err);
    free(l);
}

void plugins_load(struct plugins *ps, store_done *done, void *arg)
{
    struct loading *l = mem_alloc(sizeof *l);

    *l = (struct loading){ ps, done, arg };
    store_load(ps->spec.store, "plugins", load_stored, on_loaded, l);
}
