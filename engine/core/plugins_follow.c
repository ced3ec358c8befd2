/* plugins_follow.c - plugins that another engine installed, changed or removed: the same
 * is done here, but for storing it. */
#include "core/plugins_internal.h"

#include "base/log.h"
#include "core/plugins_record.h"

#include <stdlib.h>
#include <string.h>

static bool same_version(const struct plugin_version *a, const struct plugin_version *b)
{
    return json_equal(a->manifest.json, b->manifest.json) && json_equal(a->files, b->files) &&
           json_equal(a->config, b->config) && strcmp(a->source, b->source) == 0;
}

static void on_followed(void *arg, enum mh_err err, json_t *answer)
{
    char *name = arg, text[512];

    if (err == MH_OK)
        LOG_INFO("plugin_changed_elsewhere", "plugin=%s", name);
    else
        LOG_ERROR("plugin_not_followed", "plugin=%s why=%s do=\"reload it: here it is as it was\"",
                  name, log_quote(json_text_of(answer, "detail", ""), text, sizeof text));
    free(name);
}

/* `v` (taken) serves once it is set up here as well; deliveries under way are not disturbed. */
static void follow_version(struct plugins *ps, struct entry *e, struct plugin_version *v)
{
    struct op *op = plugins_op(ps, e->name, on_followed, mem_strdup(e->name));

    op->heard = op->trying = true;
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

static void follow_record(struct plugins *ps, struct entry *e, const json_t *stored)
{
    struct plugin_version v, before;

    enum mh_err err = plugins_record_read(ps->spec.vault, stored, &v, &before);
    if (err != MH_OK) {
        LOG_ERROR("plugin_not_followed", "plugin=%s error=%s", e->name, err_code(err));
        return;
    }
    follow_enabled(e, json_bool_of(stored, "enabled", true));
    if (!same_version(&v, plugin_version(e->plugin)))
        follow_version(ps, e, &v);
    plugin_version_deinit(&v);
    plugin_version_deinit(&before);
}

bool plugins_heard(void *arg, const char *name, const json_t *stored)
{
    struct plugins *ps = arg;
    struct entry   *e = map_get(&ps->entries, name);

    if (e != NULL && e->busy)
        return false;
    if (stored == NULL && e != NULL) {
        map_remove(&ps->entries, name);
        plugins_entry_free(e);
        instance_stop_retired_of(ps->spec.plugin.host, name);   /* they could store something yet */
    } else if (stored != NULL && e != NULL) {
        follow_record(ps, e, stored);
    } else if (stored != NULL) {
        plugins_load_one(ps, name, stored);
    }
    return true;
}
