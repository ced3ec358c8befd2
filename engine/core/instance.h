/* instance.h - a plugin in one version and one configuration, in one process.
 *
 * Starting means: spawn, load, compare what it says it is with what was approved,
 * run `setup`. Only then is it ready. A reload starts a second instance beside the
 * first; the plugin switches when the new one is ready and lets the old one end the
 * calls that it has. */
#pragma once

#include "core/broker.h"
#include "core/jail.h"

struct instance;

struct instance_host {                      /* shared by all instances of an engine */
    uv_loop_t     *loop;
    struct broker *broker;
    const struct jail *jail;
    const char    *program;                 /* moonhook-sandbox */
    struct limits  ceilings;                /* the most that plugins may ask for */
    struct list   *retired;                 /* those that are ending their last calls */
};

struct instance_ops {
    /* Its code has run; `ready` is next. May be NULL. */
    void (*loaded)(void *arg);
    /* Once: MH_OK, or why not with a sentence; after a failure `ended` follows. */
    void (*ready)(void *arg, enum mh_err err, const char *message);
    void (*logged)(void *arg, struct hook_call *call, const char *level, const char *text);
    void (*breached)(void *arg, enum limit which);
    /* The process is gone, every call has ended. Frees the instance. */
    void (*ended)(void *arg, enum mh_err why, const char *detail);
};

/* Borrows files and config (plain values) during the call; `manifest` is counted. */
MH_MUST_USE enum mh_err instance_start(const struct instance_host *host,
                                       const struct manifest *manifest, const json_t *files,
                                       const json_t *config, const struct instance_ops *ops,
                                       void *arg, struct instance **out);
/* Another owner hears of it from now on. */
void instance_set_ops(struct instance *i, const struct instance_ops *ops, void *arg);

/* Ends it without `ended`; calls under way end uncharged. */
void instance_stop(struct instance *i);

/* Ends it when its last call has ended; no callback comes any more. */
void instance_retire(struct instance *i);

/* How many of this plugin were retired and still have calls. */
size_t instance_retired_count(const struct instance_host *host, const char *plugin);

/* Stops those that were retired and are still at it: the engine ends. */
void instance_stop_retired(const struct instance_host *host);
void instance_stop_retired_of(const struct instance_host *host, const char *plugin);

MH_MUST_USE enum mh_err instance_call(struct instance *i, struct hook_call *call);
int     instance_pid(const struct instance *i);
double  instance_start_ms(const struct instance *i);

/* ---- What a plugin says it is, found out in a jail without any permission ------------ */

/* `manifest`: borrowed, NULL unless err is MH_OK; `message` names file and line. Once,
 * not inside. */
typedef void instance_inspected(void *arg, enum mh_err err, json_t *manifest, const char *message);
MH_MUST_USE enum mh_err instance_inspect(const struct instance_host *host, const char *name,
                                         const json_t *files, instance_inspected *done, void *arg);
