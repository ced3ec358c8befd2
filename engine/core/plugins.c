/* plugins.c - see plugins.h. An operation walks through steps, each of which ends in
 * the next or in finish(): read source, inspect, check, try, store, commit. */
#include "core/plugins_internal.h"

#include "base/log.h"
#include "base/map.h"
#include "core/broker_store.h"
#include "core/plugins_record.h"
#include "core/source.h"
#include "core/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLUGINS = 10000 };

struct plugins *plugins_new(const struct plugins_spec *spec)
{
    struct plugins *ps = mem_alloc(sizeof *ps);
    ps->spec = *spec;
    ps->spec.plugin.starts = &ps->starts;
    start_line_init(&ps->starts);
    list_init(&ps->ops);
    return ps;
}

void plugins_entry_free(void *value)
{
    struct entry *e = value;
    if (e->watch != NULL)
        watch_stop(e->watch);
    if (e->plugin != NULL)
        plugin_remove(e->plugin);
    free(e);
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

/* ---- Operations ---------------------------------------------------------------------- */

static struct op *op_new(struct plugins *ps, plugins_done *done, void *arg)
{
    struct op *op = mem_alloc(sizeof *op);
    *op = (struct op){ .ps = ps, .done = done, .arg = arg };
    list_push_back(&ps->ops, &op->node);
    return op;
}

static void op_free(struct op *op)
{
    list_unlink(&op->node);
    plugin_version_deinit(&op->version);
    json_decref(op->files);
    json_decref(op->given);
    free(op->source);
    free(op);
}

/* Nothing of the plugin runs any more that could put something there again. */
static void forget_store(struct plugins *ps, const char *name, broker_forgotten *done, void *arg)
{
    instance_stop_retired_of(ps->spec.plugin.host, name);
    broker_store_forget(ps->spec.plugin.host->broker, name, done, arg);
}

static void ignore_forgotten(void *arg, enum mh_err err) { (void)arg, (void)err; }

static void finish(struct op *op, enum mh_err err, json_t *answer)
{
    if (op->entry != NULL)
        op->entry->busy = false;
    if (err != MH_OK && op->plugin != NULL)
        plugin_remove(op->plugin);
    if (err != MH_OK && op->install && op->entry != NULL) {
        forget_store(op->ps, op->entry->name, ignore_forgotten, NULL);      /* its setup may have */
        map_remove(&op->ps->entries, op->entry->name);
        free(op->entry);
    }
    op->done(op->arg, err, answer);
    json_decref(answer);
    op_free(op);
}

static void refuse(struct op *op, enum mh_err err, const char *format, ...) MH_PRINTF(3, 4);
static void refuse(struct op *op, enum mh_err err, const char *format, ...)
{
    char    detail[768];
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    finish(op, err, json_pack("{s:o}", "detail", delivery_text(detail, strlen(detail))));
}

/* The engine stops in the middle: the operation is answered, and freed by the callback
 * that it waits for; a trial is abandoned and has none. */
static void orphan(struct op *op)
{
    json_t *answer = json_pack("{s:s}", "detail", "the engine is stopping");

    list_unlink(&op->node);
    op->done(op->arg, MH_UNAVAILABLE, answer);
    json_decref(answer);
    if (op->plugin != NULL)
        plugin_remove(op->plugin);
    op->ps = NULL;
    op->entry = NULL;
    op->plugin = NULL;
    if (op->trying)
        op_free(op);
}

/* First in every callback. */
static bool is_orphan(struct op *op)
{
    if (op->ps != NULL)
        return false;
    op_free(op);
    return true;
}

void plugins_free(struct plugins *ps)
{
    start_line_close(&ps->starts);
    while (!list_empty(&ps->ops))
        orphan(container_of(ps->ops.next, struct op, node));
    map_clear(&ps->entries, plugins_entry_free);
    free(ps);
}

struct op *plugins_op(struct plugins *ps, const char *name, plugins_done *done, void *arg)
{
    struct op    *op = op_new(ps, done, arg);
    struct entry *e = map_get(&ps->entries, name);

    if (e == NULL || e->plugin == NULL) {
        refuse(op, MH_NOT_FOUND, "no plugin '%.40s' is installed", name);
        return NULL;
    }
    if (e->busy) {
        refuse(op, MH_CONFLICT, "another change of '%s' is under way", e->name);
        return NULL;
    }
    op->entry = e;
    e->busy = true;
    return op;
}

/* ---- To Redis -------------------------------------------------------------------------- */

static void store_version(struct op *op, const struct plugin_version *v,
                          const struct plugin_version *before, bool enabled, store_done *done)
{
    json_t *record = plugins_record(op->ps->spec.vault, v, before, enabled);

    store_put(op->ps->spec.store, "plugins", op->entry->name, record, done, op);
    json_decref(record);
}

/* ---- Loading at start ----------------------------------------------------------------------- */

static struct entry *add_entry(struct plugins *ps, const char *name)
{
    struct entry *e = mem_alloc(sizeof *e);

    snprintf(e->name, sizeof e->name, "%s", name);
    map_put(&ps->entries, e->name, e);
    return e;
}

/* `seen`: the files as they were read; NULL: as they are now. */
static void watch_entry(struct plugins *ps, struct entry *e, json_t *seen)
{
    const char *source = plugin_version(e->plugin)->source;
    char       *folder = ps->spec.watch ? source_folder(ps->spec.dirs, source) : NULL;

    if (folder != NULL)
        e->watch = watch_start(ps, ps->spec.plugin.host->loop, e->name, folder, seen);
    free(folder);
}

void plugins_load_one(struct plugins *ps, const char *name, const json_t *stored)
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
    struct entry *e = add_entry(ps, name);
    e->enabled = json_bool_of(stored, "enabled", true);
    e->plugin = plugin_new(&ps->spec.plugin, &v);
    plugin_set_before(e->plugin, &before);
    dispatch_add_target(ps->spec.plugin.dispatch, plugin_target(e->plugin));
    watch_entry(ps, e, NULL);
    if (e->enabled)
        plugin_rest(e->plugin);
}

struct loading { struct plugins *ps; store_done *done; void *arg; };

static void on_loaded(void *arg, enum mh_err err, json_t *all)
{
    struct loading *l = arg;
    const char     *name;
    json_t         *stored;

    if (err == MH_OK)
        json_object_foreach(all, name, stored)
            plugins_load_one(l->ps, name, stored);
    l->done(l->arg, err);
    free(l);
}

void plugins_load(struct plugins *ps, store_done *done, void *arg)
{
    struct loading *l = mem_alloc(sizeof *l);

    *l = (struct loading){ ps, done, arg };
    store_load(ps->spec.store, "plugins", on_loaded, l);
}

/* ---- Try, store, commit ------------------------------------------------------------------------ */

static struct plugin *plugin_of(struct op *op)
{
    return op->install ? op->plugin : op->entry->plugin;
}

static void on_version_stored(void *arg, enum mh_err err)
{
    struct op *op = arg;

    if (is_orphan(op))
        return;
    struct plugin *p = plugin_of(op);
    if (err != MH_OK) {
        plugin_abandon(p);
        refuse(op, err, "Redis did not take the change; nothing was changed");
        return;
    }
    if (op->install) {
        op->entry->plugin = p;
        op->entry->enabled = true;
        op->plugin = NULL;
        dispatch_add_target(op->ps->spec.plugin.dispatch, plugin_target(p));
        watch_entry(op->ps, op->entry, plugin_version(p)->files);
    }
    plugin_commit(p);
    if (!op->entry->enabled)
        plugin_stop(p);
    finish(op, MH_OK, plugin_describe(p));
}

void plugins_on_tried(void *arg, enum mh_err err, const char *message)
{
    struct op *op = arg;

    op->trying = false;
    if (err == MH_OK && op->heard) {
        on_version_stored(op, MH_OK);
        return;
    }
    if (err != MH_OK) {
        refuse(op, err == MH_BUSY ? err : MH_INVALID, "the plugin does not start: %s", message);
        return;
    }
    struct plugin *p = plugin_of(op);
    store_version(op, plugin_tried_version(p), plugin_before_tried(p),
                  op->install || op->entry->enabled, on_version_stored);
}

static void try_version(struct op *op)
{
    json_t        *faults = NULL, *config = NULL;
    const json_t  *before = op->install ? NULL : plugin_version(op->entry->plugin)->config;
    const json_t  *given = op->given || op->install ? op->given : before;
    enum mh_err    err = manifest_config(&op->version.manifest, given, before, &config, &faults);

    if (err != MH_OK) {
        finish(op, err, json_pack("{s:s, s:o}", "detail", "the configuration is not valid",
                                  "errors", faults));
        return;
    }
    json_decref(op->version.config);
    op->version.config = config;
    if (op->install) {
        struct plugin_version copy = plugin_version_copy(&op->version);
        op->plugin = plugin_new(&op->ps->spec.plugin, &copy);
    }
    op->trying = true;
    plugin_try(plugin_of(op), &op->version, plugins_on_tried, op);
}

/* ---- Read, inspect, check ------------------------------------------------------------------------ */

static bool permissions_within(const struct manifest *now, const struct manifest *approved)
{
    const json_t *list = json_object_get(now->json, "permissions");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (!manifest_permits(approved, json_string_value(json_array_get(list, i))))
            return false;
    return true;
}

static enum mh_err reserve_name(struct op *op, const char *name)
{
    if (map_get(&op->ps->entries, name) != NULL)
        return MH_CONFLICT;
    if (op->ps->entries.count >= MAX_PLUGINS)
        return MH_BUSY;
    op->entry = add_entry(op->ps, name);
    op->entry->busy = true;
    return MH_OK;
}

static void check_manifest(struct op *op)
{
    const struct manifest *m = &op->version.manifest;

    if (op->install) {
        enum mh_err err = reserve_name(op, m->name);
        if (err != MH_OK) {
            refuse(op, err, err == MH_CONFLICT ? "a plugin '%s' is installed already; use reload or "
                   "config to change it" : "there is no room for '%s'", m->name);
            return;
        }
    } else if (strcmp(m->name, op->entry->name) != 0) {
        refuse(op, MH_CONFLICT, "the plugin now calls itself '%s'", m->name);
        return;
    } else if (!permissions_within(m, &plugin_version(op->entry->plugin)->manifest)) {
        refuse(op, MH_FORBIDDEN, "the new version wants more permissions than were approved; "
               "uninstall it and install it again to approve them");
        return;
    }
    try_version(op);
}

static void on_inspected(void *arg, enum mh_err err, json_t *json, const char *message)
{
    struct op        *op = arg;
    struct json_fault fault;

    if (is_orphan(op))
        return;
    if (err != MH_OK) {
        refuse(op, MH_INVALID, "the plugin does not load: %s", message);
        return;
    }
    if (manifest_read(json, &op->version.manifest, &fault) != MH_OK) {
        refuse(op, MH_INVALID, "the manifest is not valid: %s %s", fault.pointer, fault.text);
        return;
    }
    op->version.files = json_incref(op->files);
    op->version.source = mem_strdup(op->source);
    check_manifest(op);
}

/* The first folder of that name wins, so that an operator's comes before a shipped one. */
static enum mh_err read_named(struct op *op, char *why, size_t why_bytes)
{
    for (const char *const *dir = op->ps->spec.dirs; *dir != NULL; dir++) {
        char       *folder = mem_printf("%s/%s", *dir, op->source);
        enum mh_err err = source_read(folder, &op->files, why, why_bytes);
        free(folder);
        if (err != MH_NOT_FOUND)
            return err;
    }
    snprintf(why, why_bytes, "there is no plugin '%.40s' in the plugin folders", op->source);
    return MH_NOT_FOUND;
}

static void read_source(struct op *op)
{
    char        why[256] = "a source is the name of a shipped plugin, or file:FOLDER";
    enum mh_err err = MH_INVALID;

    if (strncmp(op->source, "file:", 5) == 0)
        err = source_read(op->source + 5, &op->files, why, sizeof why);
    else if (manifest_name_valid(op->source))
        err = read_named(op, why, sizeof why);
    if (err != MH_OK) {
        refuse(op, err == MH_NOT_FOUND && op->install ? MH_INVALID : err, "%s", why);
        return;
    }
    err = instance_inspect(op->ps->spec.plugin.host, op->source, op->files, on_inspected, op);
    if (err != MH_OK)
        refuse(op, err, "moonhook-sandbox could not be started");
}

/* ---- What operators do ------------------------------------------------------------------------------ */

void plugins_install(struct plugins *ps, const char *source, const json_t *config,
                     plugins_done *done, void *arg)
{
    struct op *op = op_new(ps, done, arg);

    op->install = true;
    op->source = mem_strdup(source);
    op->given = config ? json_deep_copy(config) : json_object();
    read_source(op);
}

void plugins_reload(struct plugins *ps, const char *name, plugins_done *done, void *arg)
{
    struct op *op = plugins_op(ps, name, done, arg);

    if (op == NULL)
        return;
    op->source = mem_strdup(plugin_version(op->entry->plugin)->source);
    read_source(op);
}

void plugins_configure(struct plugins *ps, const char *name, const json_t *config,
                       plugins_done *done, void *arg)
{
    struct op *op = plugins_op(ps, name, done, arg);

    if (op == NULL)
        return;
    op->version = plugin_version_copy(plugin_version(op->entry->plugin));
    op->given = json_deep_copy(config);
    try_version(op);
}

/* The version before was approved when it came, so that nothing is asked again. */
void plugins_rollback(struct plugins *ps, const char *name, plugins_done *done, void *arg)
{
    struct op *op = plugins_op(ps, name, done, arg);

    if (op == NULL)
        return;
    if (plugin_before(op->entry->plugin) == NULL) {
        refuse(op, MH_CONFLICT, "there is no earlier version of '%s' to go back to; a reload or "
               "a rollback that changed its files leaves one", op->entry->name);
        return;
    }
    op->trying = true;
    plugin_try_before(op->entry->plugin, plugins_on_tried, op);
}

/* The operation ends here, then: with its engine, or refused. */
static bool was_not_stored(struct op *op, enum mh_err err)
{
    if (is_orphan(op))
        return true;
    if (err != MH_OK)
        refuse(op, err, "Redis did not take the change; nothing was changed");
    return err != MH_OK;
}

static void on_switched(void *arg, enum mh_err err)
{
    struct op *op = arg;

    if (was_not_stored(op, err))
        return;
    op->entry->enabled = !op->entry->enabled;
    if (op->entry->enabled)
        plugin_start(op->entry->plugin);
    else
        plugin_stop(op->entry->plugin);
    finish(op, MH_OK, plugin_describe(op->entry->plugin));
}

void plugins_enable(struct plugins *ps, const char *name, bool enabled, plugins_done *done,
                    void *arg)
{
    struct op *op = plugins_op(ps, name, done, arg);

    if (op == NULL)
        return;
    if (op->entry->enabled == enabled)
        finish(op, MH_OK, plugin_describe(op->entry->plugin));
    else
        store_version(op, plugin_version(op->entry->plugin), plugin_before(op->entry->plugin),
                      enabled, on_switched);
}

/* It is uninstalled either way; what could not be removed is in the log. */
static void on_forgotten(void *arg, enum mh_err err)
{
    struct op *op = arg;

    (void)err;
    if (!is_orphan(op))
        finish(op, MH_OK, json_pack("{s:b}", "uninstalled", 1));
}

static void on_removed(void *arg, enum mh_err err)
{
    struct op *op = arg;
    char       name[MH_ID_BYTES];

    if (was_not_stored(op, err))
        return;
    snprintf(name, sizeof name, "%s", op->entry->name);
    map_remove(&op->ps->entries, name);
    plugins_entry_free(op->entry);
    op->entry = NULL;
    forget_store(op->ps, name, on_forgotten, op);
}

void plugins_uninstall(struct plugins *ps, const char *name, plugins_done *done, void *arg)
{
    struct op *op = plugins_op(ps, name, done, arg);

    if (op != NULL)
        store_remove(ps->spec.store, "plugins", name, on_removed, op);
}

void plugins_available(struct plugins *ps, plugins_done *done, void *arg)
{
    plugins_survey(&ps->spec, done, arg);
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
