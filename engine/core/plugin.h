/* plugin.h - one installed plugin: its approved manifest, files and configuration,
 * the process that serves it, and its place as a target of the pipeline.
 *
 * Every change (install, configuration, reload) is a trial: a second instance is
 * started and set up; if that works and Redis has the change, it takes over; if
 * not, the old one never stopped serving.
 *
 * A plugin sleeps when it had no event for the idle timeout: it has no process then,
 * and the next delivery that waits for it starts one. Sleeping is no fault: nothing is
 * counted or delayed by it. Whoever sleeps has no attempt under way and none waiting.
 *
 * The version before the present one is kept, whole. Its instance ends the calls that it
 * has and stays warm, without new ones, for as long as an idle plugin keeps its process:
 * a rollback in that time takes it over as it is. */
#pragma once

#include "core/dispatch.h"
#include "core/instance.h"
#include "core/start_line.h"

enum plugin_state { PLUGIN_STOPPED, PLUGIN_STARTING, PLUGIN_READY, PLUGIN_ASLEEP, PLUGIN_BACKOFF,
                    PLUGIN_REMOVED };

struct plugin;

struct plugin_spec {
    const struct instance_host *host;
    struct dispatch            *dispatch;
    struct start_line          *starts;     /* shared by all plugins */
    const struct schedule      *schedule;
    unsigned                    concurrency;
    int64_t                     idle_timeout_ms;    /* 0: no plugin ever sleeps */
};

/* What a plugin runs: counted JSON throughout. */
struct plugin_version {
    struct manifest manifest;
    json_t         *files;
    json_t         *config;                 /* plain values */
    char           *source;                 /* where it was installed from */
};
void plugin_version_deinit(struct plugin_version *v);
struct plugin_version plugin_version_copy(const struct plugin_version *v);

/* Takes `version`. Stopped at first and not yet a target. */
struct plugin *plugin_new(const struct plugin_spec *spec, struct plugin_version *version);
/* Ends its process (calls under way end uncharged) and its deliveries; frees itself
 * when the last of them is gone. */
void plugin_remove(struct plugin *p);

/* Enabled, from stopped. plugin_start() starts its process; a failed start backs off and
 * tries again. plugin_rest() leaves that to its first event: it sleeps. */
void plugin_start(struct plugin *p);
void plugin_rest(struct plugin *p);
void plugin_stop(struct plugin *p);                 /* disabled: no process, deliveries wait */

/* Starts `version` (taken) beside the present one. `done` comes once: MH_OK and
 * it waits for plugin_commit() or plugin_abandon(); or why not, with a sentence. */
typedef void plugin_tried(void *arg, enum mh_err err, const char *message);
void plugin_try(struct plugin *p, struct plugin_version *version, plugin_tried *done, void *arg);
bool plugin_is_trying(const struct plugin *p);
/* Tries the version before, which there must be; while it is warm `done` comes inside. */
void plugin_try_before(struct plugin *p, plugin_tried *done, void *arg);
void plugin_commit(struct plugin *p);               /* the tried version takes over */
void plugin_abandon(struct plugin *p);

const char                  *plugin_name(const struct plugin *p);
const struct plugin_version *plugin_version(const struct plugin *p);
const struct plugin_version *plugin_tried_version(const struct plugin *p);
/* What a rollback goes back to, now and once the tried version is committed: the newest
 * version with other files. NULL where there is none. */
const struct plugin_version *plugin_before(const struct plugin *p);
const struct plugin_version *plugin_before_tried(const struct plugin *p);
void plugin_set_before(struct plugin *p, struct plugin_version *before);    /* takes it */
struct target               *plugin_target(struct plugin *p);

/* {"name","version","status","reason","config" (masked),"metrics",...}; caller owns. */
json_t *plugin_describe(const struct plugin *p);
/* The newest log lines, newest last; the caller owns the array. */
json_t *plugin_logs(const struct plugin *p);
