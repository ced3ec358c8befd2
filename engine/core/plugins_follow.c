/* plugins_follow.c - plugins that another engine installed, changed or removed: the same
 * is done here, but for storing it. */
#include "core/plugins_internal.h"

#include "base/log.h"
#include "core/plugins_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_version(const struct plugin_version *a, const struct plugin_version *b)
{
    return json_equal(a->manifest.json, b->manifest.json) && json_equal(a->files, b->files) &&
           json_equal(a->config, b->config) && strcmp(a->source, b->source) == 0;
}

struct followed { struct plugins *ps; int64_t revision; char name[MH_ID_BYTES]; };

/* Here it is as it was: who changes it here goes on from that, but not who was waiting for it. */
static void give_up(struct followed *f, const char *why)
{
    struct entry *e = map_get(&f->ps->entries, f->name);

    if (e != NULL)
        e->revision = f->revision;
    list_for_each(node, after, &f->ps->ops) {
        struct op *op = container_of(node, struct op, node);
        if (op->waiting && strcmp(op->name, f->name) == 0) {
            plugins_refuse(op, MH_CONFLICT, "%s", why);     /* there is one at most */
            return;
        }
    }
}

static void on_followed(void *arg, enum mh_err err, json_t *answer)
{
    struct followed *f = arg;
    const char      *why = json_text_of(answer, "detail", "");
    char             text[512];

    if (err == MH_OK) {
        LOG_INFO("plugin_changed_elsewhere", "plugin=%s", f->name);
    } else if (err != MH_UNAVAILABLE) {     /* else the engine stops */
        LOG_ERROR("plugin_not_followed", "plugin=%s why=%s do=\"reload it: here it is as it was\"",
                  f->name, log_quote(why, text, sizeof text));
        snprintf(text, sizeof text, "another engine changed the plugin at the same time, and what it "
                 "is now does not start here: %.300s", why);
        give_up(f, text);
    }
    free(f);
}

/* `v` (taken) serves once it is set up here as well; deliveries under way are not disturbed. */
static void follow_version(struct plugins *ps, struct entry *e, struct plugin_version *v,
                           int64_t revision)
{
    struct followed *f = mem_alloc(sizeof *f);

    *f = (struct followed){ .ps = ps, .revision = revision };
    snprintf(f->name, sizeof f->name, "%s", e->name);
    struct op *op = plugins_op(ps, e->name, on_followed, f);
    op->heard = op->trying = true;
    op->revision = revision;
    op->version = *v;
    *v = (struct plugin_version){ .files = NULL };
    plugin_try(e->plugin, &op->version, plugins_on_tried, op);
}

static void follow_enabled(struct entry *e, bool enabled)
{
    if (e->enabled == enabled)
        return;
    e->enabled = enabled;
    if (enabled)
        plugin_rest(e->plugin);
    else
        plugin_stop(e->plugin);
}

static void follow_record(struct plugins *ps, struct entry *e, const json_t *stored, int64_t revision)
{
    struct plugin_version v, before;

    enum mh_err err = plugins_record_read(ps->spec.vault, stored, &v, &before);
    if (err != MH_OK) {
        LOG_ERROR("plugin_not_followed", "plugin=%s error=%s", e->name, err_code(err));
        return;
    }
    follow_enabled(e, json_bool_of(stored, "enabled", true));
    if (same_version(&v, plugin_version(e->plugin)))
        e->revision = revision;
    else
        follow_version(ps, e, &v, revision);
    plugin_version_deinit(&v);
    plugin_version_deinit(&before);
}

/* Who is busy is told again later, or looks at it when its own change was refused. */
static void keep_news(struct entry *e, const json_t *stored, int64_t revision)
{
    json_decref(e->news);
    e->news = json_incref((json_t *)stored);
    e->news_revision = revision;
}

bool plugins_heard(void *arg, const char *name, const json_t *stored, int64_t revision)
{
    struct plugins *ps = arg;
    struct entry   *e = map_get(&ps->entries, name);

    if (e != NULL && e->busy) {
        keep_news(e, stored, revision);
        return false;
    }
    if (stored == NULL && e != NULL) {
        map_remove(&ps->entries, name);
        plugins_entry_free(e);
        instance_stop_retired_of(ps->spec.plugin.host, name);   /* they could store something yet */
    } else if (stored != NULL && e != NULL) {
        follow_record(ps, e, stored, revision);
    } else if (stored != NULL) {
        plugins_load_one(ps, name, stored, revision);
    }
    return true;
}

/* ---- Once more ------------------------------------------------------------------------- */

enum { MAX_TRIES = 8 };

void plugins_again(struct op *op)
{
    struct plugins *ps = op->ps;
    struct entry   *e = op->entry;
    json_t         *news = e->news;
    int64_t         revision = e->news_revision;

    snprintf(op->name, sizeof op->name, "%s", e->name);
    op->entry = NULL;
    op->waiting = true;
    op->tries++;
    e->news = NULL;
    e->busy = false;
    if (revision != 0)
        plugins_heard(ps, op->name, news, revision);
    json_decref(news);
    plugins_wake(ps);
}

static void go_on(struct op *op, struct entry *e)
{
    op->waiting = false;
    if (e == NULL || e->plugin == NULL) {
        plugins_refuse(op, MH_NOT_FOUND, "the plugin was uninstalled meanwhile");
        return;
    }
    if (op->tries >= MAX_TRIES) {
        plugins_refuse(op, MH_CONFLICT, "other engines kept changing the plugin; look at it and try again");
        return;
    }
    op->entry = e;
    e->busy = true;
    e->news_revision = 0;
    op->begin(op);
}

void plugins_wake(struct plugins *ps)
{
    list_for_each(node, after, &ps->ops) {
        struct op    *op = container_of(node, struct op, node);
        struct entry *e = op->waiting ? map_get(&ps->entries, op->name) : NULL;
        if (op->waiting && (e == NULL || !e->busy)) {
            go_on(op, e);                   /* ends it, or begins what comes back here */
            return;
        }
    }
}
