/* plugins_op.c - one operation on a plugin: begun, and answered exactly once, by finish, by
 * a refusal, or by the engine's end. */
#include "core/plugins_internal.h"

#include "core/plugins_record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Its end ------------------------------------------------------------------------- */

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
void plugins_forget_store(struct plugins *ps, const char *name, store_done *done, void *arg)
{
    instance_stop_retired_of(ps->spec.plugin.host, name);
    leftovers_forget(ps->leftovers, name, done, arg);
}

void plugins_finish(struct op *op, enum mh_err err, json_t *answer)
{
    struct plugins *ps = op->ps;

    if (op->entry != NULL)
        op->entry->busy = false;
    if (err != MH_OK && op->plugin != NULL)
        plugin_remove(op->plugin);
    if (err != MH_OK && op->install && op->entry != NULL) {
        if (op->prepared && err != MH_CONFLICT)     /* its setup may have; else it is another engine's */
            plugins_forget_store(ps, op->entry->name, NULL, NULL);
        map_remove(&ps->entries, op->entry->name);
        json_decref(op->entry->news);
        free(op->entry);
    }
    op->done(op->arg, err, answer);
    json_decref(answer);
    op_free(op);
    plugins_wake(ps);
}

void plugins_refuse(struct op *op, enum mh_err err, const char *format, ...)
{
    char    detail[768];
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    plugins_finish(op, err, json_pack("{s:o}", "detail", delivery_text(detail, strlen(detail))));
}

/* The engine stops in the middle: the operation is answered, and freed by the callback
 * that it waits for; a trial is abandoned and has none. */
void plugins_orphan(struct op *op)
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
    if (op->trying || op->waiting)
        op_free(op);
}

/* First in every callback. */
bool plugins_is_orphan(struct op *op)
{
    if (op->ps != NULL)
        return false;
    op_free(op);
    return true;
}

/* ---- Its beginning ------------------------------------------------------------------- */

struct op *plugins_op_new(struct plugins *ps, plugins_done *done, void *arg)
{
    struct op *op = mem_alloc(sizeof *op);
    *op = (struct op){ .ps = ps, .done = done, .arg = arg };
    list_push_back(&ps->ops, &op->node);
    return op;
}

struct op *plugins_op(struct plugins *ps, const char *name, plugins_done *done, void *arg)
{
    struct op    *op = plugins_op_new(ps, done, arg);
    struct entry *e = map_get(&ps->entries, name);

    if (e == NULL || e->plugin == NULL) {
        plugins_refuse(op, MH_NOT_FOUND, "no plugin '%.40s' is installed", name);
        return NULL;
    }
    if (e->busy) {
        plugins_refuse(op, MH_CONFLICT, "another change of '%s' is under way", e->name);
        return NULL;
    }
    op->entry = e;
    e->busy = true;
    e->news_revision = 0;
    return op;
}

/* ---- To Redis ------------------------------------------------------------------------ */

static void on_version_written(void *arg, int64_t revision) { ((struct op *)arg)->revision = revision; }

void plugins_store_version(struct op *op, const struct plugin_version *v,
                           const struct plugin_version *before, bool enabled, store_done *done)
{
    json_t *record = plugins_record(op->ps->spec.vault, v, before, enabled);

    store_write(op->ps->spec.store, &(struct store_write){
        .kind = "plugins", .id = op->entry->name, .value = record,
        .based_on = op->install ? STORE_NEW : op->entry->revision, .written = on_version_written,
        .done = done, .arg = op });
    json_decref(record);
}

void plugins_not_stored(struct op *op, enum mh_err err)
{
    if (err == MH_CONFLICT && !op->install)
        plugins_again(op);
    else if (err == MH_CONFLICT)
        plugins_refuse(op, err, "another engine installed '%s' at the same time; use reload or config to "
                       "change it", op->entry->name);
    else
        plugins_refuse(op, err, "Redis did not take the change; nothing was changed");
}

/* The operation ends here, then: with its engine, or refused. */
bool plugins_was_not_stored(struct op *op, enum mh_err err)
{
    if (plugins_is_orphan(op))
        return true;
    if (err != MH_OK)
        plugins_not_stored(op, err);
    return err != MH_OK;
}
