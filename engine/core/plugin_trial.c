/* plugin_trial.c - a version beside the one that serves: one on trial, which may take
 * over, and the one before, which a rollback goes back to. See plugin.h. */
#include "core/plugin_internal.h"

#include <stdlib.h>

enum { WARM_MS = 60000,                     /* where plugins never sleep */
       MAX_RETIRED = 16 };

/* ---- The version before ---------------------------------------------------------------------- */

/* Those of its calls that are under way end on it. */
static void end_warm(struct plugin *p)
{
    struct instance *warm = p->warm;

    timer_stop(&p->cool);
    p->warm = NULL;
    if (warm != NULL)
        instance_retire(warm);
}

void plugin_on_cool(struct timer *timer) { end_warm(container_of(timer, struct plugin, cool)); }

static void on_warm_ready(void *arg, enum mh_err err, const char *message)
{
    (void)arg, (void)err, (void)message;    /* it was ready before it was warm */
}

static void on_warm_ended(void *arg, enum mh_err why, const char *detail)
{
    struct plugin *p = arg;

    (void)why, (void)detail;
    p->warm = NULL;
    timer_stop(&p->cool);
}

static const struct instance_ops warm_ops = { NULL, on_warm_ready, plugin_on_logged,
                                              plugin_on_breached, on_warm_ended };

static void keep_warm(struct plugin *p, struct instance *i)
{
    int64_t idle_ms = p->spec.idle_timeout_ms;

    p->warm = i;
    instance_set_ops(i, &warm_ops, p);
    timer_start(&p->cool, idle_ms > 0 ? idle_ms : WARM_MS);
}

/* A new configuration alone makes no other version, nor does a reload of the same files. */
static bool is_other_version(const struct plugin_version *a, const struct plugin_version *b)
{
    return !json_equal(a->files, b->files);
}

/* Room for the tried version: what served goes, or becomes the version before. */
static void step_back(struct plugin *p)
{
    struct instance *served = p->instance;
    bool             other = is_other_version(&p->version, &p->tried_version);

    p->instance = NULL;
    if (other)
        end_warm(p);
    if (served != NULL && other && p->state == PLUGIN_READY)
        keep_warm(p, served);
    else if (served != NULL)
        instance_retire(served);
    if (other) {
        plugin_version_deinit(&p->before);
        p->before = p->version;
    } else {
        plugin_version_deinit(&p->version);
    }
    p->version = p->tried_version;
    p->tried_version = (struct plugin_version){ 0 };
}

/* ---- Trials --------------------------------------------------------------------------------- */

static void end_trial(struct plugin *p, enum mh_err err, const char *message)
{
    plugin_tried *done = p->tried_done;

    p->tried_done = NULL;
    if (done != NULL)
        done(p->tried_arg, err, message);
}

static void on_trial_ready(void *arg, enum mh_err err, const char *message)
{
    struct plugin *p = arg;
    char          *kept = mem_strdup(message);

    if (err != MH_OK) {
        struct instance *failed = p->tried;
        p->tried = NULL;
        instance_stop(failed);
        plugin_version_deinit(&p->tried_version);
    }
    end_trial(p, err, kept);
    free(kept);
}

/* The tried one died between its success and the commit: the commit starts anew. */
static void on_trial_ended(void *arg, enum mh_err why, const char *detail)
{
    struct plugin *p = arg;

    (void)why;
    (void)detail;
    p->tried = NULL;
}

static const struct instance_ops trial_ops = { NULL, on_trial_ready, plugin_on_logged,
                                               plugin_on_breached, on_trial_ended };

/* Each change may leave a process with calls behind, of which there are only so many. */
void plugin_try(struct plugin *p, struct plugin_version *version, plugin_tried *done, void *arg)
{
    if (instance_retired_count(p->spec.host, p->target.id) >= MAX_RETIRED) {
        plugin_version_deinit(version);
        done(arg, MH_BUSY, "too many processes of versions before it still have calls to end; "
             "try again in a moment");
        return;
    }
    p->tried_version = *version;
    *version = (struct plugin_version){ 0 };
    p->tried_done = done;
    p->tried_arg = arg;
    enum mh_err err = instance_start(p->spec.host, &p->tried_version.manifest,
                                     p->tried_version.files, p->tried_version.config, &trial_ops,
                                     p, &p->tried);
    if (err != MH_OK) {
        plugin_version_deinit(&p->tried_version);
        end_trial(p, err, "moonhook-sandbox could not be started");
    }
}

void plugin_try_before(struct plugin *p, plugin_tried *done, void *arg)
{
    struct plugin_version version = plugin_version_copy(&p->before);

    if (p->warm == NULL) {
        plugin_try(p, &version, done, arg);
        return;
    }
    timer_stop(&p->cool);
    p->tried_version = version;
    p->tried = p->warm;
    p->warm = NULL;
    instance_set_ops(p->tried, &trial_ops, p);
    done(arg, MH_OK, "");
}

bool plugin_is_trying(const struct plugin *p) { return p->tried_version.files != NULL; }

void plugin_commit(struct plugin *p)
{
    step_back(p);
    p->instance = p->tried;
    p->tried = NULL;
    plugin_switched(p);
}

/* One that was warm may still have calls, which end on it; one that is not ready has none. */
void plugin_abandon(struct plugin *p)
{
    struct instance *tried = p->tried;
    bool             ready = p->tried_done == NULL;

    p->tried = NULL;
    p->tried_done = NULL;
    if (tried != NULL && ready)
        instance_retire(tried);
    else if (tried != NULL)
        instance_stop(tried);
    plugin_version_deinit(&p->tried_version);
}

const struct plugin_version *plugin_tried_version(const struct plugin *p)
{
    return &p->tried_version;
}

const struct plugin_version *plugin_before(const struct plugin *p)
{
    return p->before.files != NULL ? &p->before : NULL;
}

const struct plugin_version *plugin_before_tried(const struct plugin *p)
{
    bool installed = p->version.files != NULL;
    return installed && is_other_version(&p->version, &p->tried_version) ? &p->version
                                                                        : plugin_before(p);
}

void plugin_set_before(struct plugin *p, struct plugin_version *before)
{
    plugin_version_deinit(&p->before);
    p->before = *before;
    *before = (struct plugin_version){ 0 };
}
