/* plugins_change.c - a plugin becomes another version or gets another configuration. The
 * operation walks through steps, each of which ends in the next or answers: read source,
 * inspect, check, try, store, commit. */
#include "core/plugins_internal.h"

#include "core/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLUGINS = 10000 };

/* ---- Try, store, commit -------------------------------------------------------------- */

static struct plugin *plugin_of(struct op *op)
{
    return op->install ? op->plugin : op->entry->plugin;
}

static void on_version_stored(void *arg, enum mh_err err)
{
    struct op *op = arg;

    if (plugins_is_orphan(op))
        return;
    struct plugin *p = plugin_of(op);
    if (err != MH_OK) {
        plugin_abandon(p);
        plugins_not_stored(op, err);
        return;
    }
    op->entry->revision = op->revision;
    if (op->install) {
        op->entry->plugin = p;
        op->entry->enabled = true;
        op->plugin = NULL;
        dispatch_add_target(op->ps->spec.plugin.dispatch, plugin_target(p));
        plugins_watch_entry(op->ps, op->entry, plugin_version(p)->files);
    }
    plugin_commit(p);
    if (!op->entry->enabled)
        plugin_stop(p);
    plugins_finish(op, MH_OK, plugin_describe(p));
}

/* What is wrong with the machine, or passes by itself, is not the request's fault. */
static void refuse_process(struct op *op, enum mh_err err, const char *does_not, const char *message)
{
    if (err == MH_JAIL)
        plugins_refuse(op, err, "no plugin may run on this machine: %s", message);
    else
        plugins_refuse(op, err == MH_BUSY || err == MH_NOMEM || err == MH_IO ? err : MH_INVALID,
                       "the plugin does not %s: %s", does_not, message);
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
        refuse_process(op, err, "start", message);
        return;
    }
    struct plugin *p = plugin_of(op);
    plugins_store_version(op, plugin_tried_version(p), plugin_before_tried(p),
                  op->install || op->entry->enabled, on_version_stored);
}

static void try_version(struct op *op)
{
    json_t        *faults = NULL, *config = NULL;
    const json_t  *before = op->install ? NULL : plugin_version(op->entry->plugin)->config;
    const json_t  *given = op->given || op->install ? op->given : before;
    enum mh_err    err = manifest_config(&op->version.manifest, given, before, &config, &faults);

    if (err != MH_OK) {
        plugins_finish(op, err, json_pack("{s:s, s:o}", "detail", "the configuration is not valid",
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

/* ---- Read, inspect, check ------------------------------------------------------------ */

static bool permissions_within(const struct manifest *now, const struct manifest *approved)
{
    const json_t *list = json_object_get(now->json, "permissions");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (!manifest_permits(approved, json_string_value(json_array_get(list, i))))
            return false;
    return true;
}

static void on_prepared(void *arg, enum mh_err err)
{
    struct op *op = arg;

    if (plugins_is_orphan(op))
        return;
    op->prepared = err == MH_OK;
    if (err == MH_OK)
        try_version(op);
    else
        plugins_refuse(op, err, err == MH_CONFLICT ? "another engine installs '%s', or forgets what an "
                       "earlier one stored; try again in some seconds" : "Redis could not be asked what an "
                       "earlier '%s' stored; nothing was changed", op->entry->name);
}

/* What an earlier plugin of its name stored is not its own. */
static void prepare_store(struct op *op)
{
    if (leftovers_prepare(op->ps->leftovers, op->entry->name, on_prepared, op) != MH_OK)
        plugins_refuse(op, MH_CONFLICT, "what an earlier '%s' stored is being forgotten; try again in a "
                       "moment", op->entry->name);
}

static enum mh_err reserve_name(struct op *op, const char *name)
{
    if (map_get(&op->ps->entries, name) != NULL)
        return MH_CONFLICT;
    if (op->ps->entries.count >= MAX_PLUGINS)
        return MH_BUSY;
    op->entry = plugins_add_entry(op->ps, name);
    op->entry->busy = true;
    return MH_OK;
}

static void check_manifest(struct op *op)
{
    const struct manifest *m = &op->version.manifest;

    if (op->install) {
        enum mh_err err = reserve_name(op, m->name);
        if (err != MH_OK) {
            plugins_refuse(op, err, err == MH_CONFLICT ? "a plugin '%s' is installed already; use reload or "
                   "config to change it" : "there is no room for '%s'", m->name);
            return;
        }
        prepare_store(op);
        return;
    }
    if (strcmp(m->name, op->entry->name) != 0) {
        plugins_refuse(op, MH_CONFLICT, "the plugin now calls itself '%s'", m->name);
        return;
    }
    if (!permissions_within(m, &plugin_version(op->entry->plugin)->manifest)) {
        plugins_refuse(op, MH_FORBIDDEN, "the new version wants more permissions than were approved; "
               "uninstall it and install it again to approve them");
        return;
    }
    try_version(op);
}

static void on_inspected(void *arg, enum mh_err err, json_t *json, const char *message)
{
    struct op        *op = arg;
    struct json_fault fault;

    if (plugins_is_orphan(op))
        return;
    if (err != MH_OK) {
        refuse_process(op, err, "load", message);
        return;
    }
    if (manifest_read(json, &op->version.manifest, &fault) != MH_OK) {
        plugins_refuse(op, MH_INVALID, "the manifest is not valid: %s %s", fault.pointer, fault.text);
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
        plugins_refuse(op, err == MH_NOT_FOUND && op->install ? MH_INVALID : err, "%s", why);
        return;
    }
    err = instance_inspect(op->ps->spec.plugin.host, op->source, op->files, on_inspected, op);
    if (err != MH_OK)
        plugins_refuse(op, err, "moonhook-sandbox could not be started");
}

/* ---- What operators ask for ----------------------------------------------------------- */

void plugins_install(struct plugins *ps, const char *source, const json_t *config,
                     plugins_done *done, void *arg)
{
    struct op *op = plugins_op_new(ps, done, arg);

    op->install = true;
    op->source = mem_strdup(source);
    op->given = config ? json_deep_copy(config) : json_object();
    read_source(op);
}

static void begin_op(struct op *op, void (*begin)(struct op *op))
{
    op->begin = begin;
    begin(op);
}

static void reload(struct op *op)
{
    json_decref(op->files);
    free(op->source);
    op->files = NULL;
    op->source = mem_strdup(plugin_version(op->entry->plugin)->source);
    read_source(op);
}

void plugins_reload(struct plugins *ps, const char *name, plugins_done *done, void *arg)
{
    struct op *op = plugins_op(ps, name, done, arg);

    if (op != NULL)
        begin_op(op, reload);
}

static void configure(struct op *op)
{
    op->version = plugin_version_copy(plugin_version(op->entry->plugin));
    try_version(op);
}

void plugins_configure(struct plugins *ps, const char *name, const json_t *config,
                       plugins_done *done, void *arg)
{
    struct op *op = plugins_op(ps, name, done, arg);

    if (op == NULL)
        return;
    op->given = json_deep_copy(config);
    begin_op(op, configure);
}

/* The version before was approved when it came, so that nothing is asked again. */
static void roll_back(struct op *op)
{
    if (plugin_before(op->entry->plugin) == NULL) {
        plugins_refuse(op, MH_CONFLICT, "there is no earlier version of '%s' to go back to; a reload or "
               "a rollback that changed its files leaves one", op->entry->name);
        return;
    }
    op->trying = true;
    plugin_try_before(op->entry->plugin, plugins_on_tried, op);
}

void plugins_rollback(struct plugins *ps, const char *name, plugins_done *done, void *arg)
{
    struct op *op = plugins_op(ps, name, done, arg);

    if (op != NULL)
        begin_op(op, roll_back);
}
