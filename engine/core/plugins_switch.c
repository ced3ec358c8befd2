/* plugins_switch.c - plugins are enabled, disabled and uninstalled. */
#include "core/plugins_internal.h"

#include <stdio.h>

static void on_switched(void *arg, enum mh_err err)
{
    struct op *op = arg;

    if (plugins_was_not_stored(op, err))
        return;
    op->entry->revision = op->revision;
    op->entry->enabled = op->enable;
    if (op->enable)
        plugin_start(op->entry->plugin);
    else
        plugin_stop(op->entry->plugin);
    plugins_finish(op, MH_OK, plugin_describe(op->entry->plugin));
}

static void switch_to(struct op *op)
{
    const struct plugin *p = op->entry->plugin;

    if (op->entry->enabled == op->enable)
        plugins_finish(op, MH_OK, plugin_describe(p));
    else
        plugins_store_version(op, plugin_version(p), plugin_before(p), op->enable, on_switched);
}

void plugins_enable(struct plugins *ps, const char *name, bool enabled, plugins_done *done,
                    void *arg)
{
    struct op *op = plugins_op(ps, name, done, arg);

    if (op == NULL)
        return;
    op->enable = enabled;
    op->begin = switch_to;
    switch_to(op);
}

/* It is uninstalled either way; what could not be removed yet is noted. */
static void on_forgotten(void *arg, enum mh_err err)
{
    struct op *op = arg;

    (void)err;
    if (!plugins_is_orphan(op))
        plugins_finish(op, MH_OK, json_pack("{s:b}", "uninstalled", 1));
}

static void on_removed(void *arg, enum mh_err err)
{
    struct op *op = arg;
    char       name[MH_ID_BYTES];

    if (plugins_was_not_stored(op, err))
        return;
    snprintf(name, sizeof name, "%s", op->entry->name);
    map_remove(&op->ps->entries, name);
    plugins_entry_free(op->entry);
    op->entry = NULL;
    plugins_forget_store(op->ps, name, on_forgotten, op);
}

void plugins_uninstall(struct plugins *ps, const char *name, plugins_done *done, void *arg)
{
    struct op *op = plugins_op(ps, name, done, arg);

    if (op != NULL)
        store_remove(ps->spec.store, "plugins", name, on_removed, op);
}
