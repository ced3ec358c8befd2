/* engine_internal.h - the engine's parts, which its files share and nobody else sees: engine.c
 * (the process), engine_settings.c, engine_parts.c (made), engine_load.c (loaded and serving),
 * engine_stop.c (stopped and freed). */
#pragma once

#include "api/api.h"
#include "core/listen.h"
#include "core/settings.h"
#include "engine.h"
#include "io/redis_server.h"

struct engine {
    const struct settings *settings;
    uv_loop_t              loop;
    uv_signal_t            sigterm, sigint;
    struct timer           drain;
    int64_t                drain_until_ms;
    int                    exit_code;
    unsigned               loaded_steps;
    bool                   loading, serving, stopping;
    struct listen_address  address;
    int                    parent_fd;       /* a worker's way to its supervisor, else -1 */
    uv_poll_t              parent;
    const char            *predecessor;     /* what the supervisor said of it, or NULL */
    char                  *cert_pem, *key_pem;
    const char           **plugin_dirs;
    char                  *shipped_dir, *sandbox_program;
    char                  *redis_needs[QUEUE_MAX_SHARDS + 2];   /* see engine_parts.c; then NULL */
    struct policy_ranges   private_allowed;
    struct schedule        webhook_schedule, plugin_schedule;
    struct jail            jail;
    struct instance_host   host_of_plugins;
    struct list            retired_instances;
    struct vault          *vault;
    struct redis_server   *redis_server;
    struct redis          *redis;
    struct store          *store;
    struct store_follower  followers[5];    /* keys, webhooks, their gates, plugins, the end */
    struct held            held;
    struct queues         *queues;
    struct dispatch       *dispatch;
    struct replays        *replays;
    struct http_client    *http;
    struct broker         *broker;
    struct keys           *keys;
    struct endpoints      *endpoints;
    struct plugins        *plugins;
    struct rotation       *rotation;
    struct http_server    *server;
    struct api             api;
};

/* ---- engine_settings.c ---- */

/* Logs what was wanted in its place; MH_INVALID. */
enum mh_err engine_bad_setting(const char *flag, const char *value, const char *wanted);
MH_MUST_USE enum mh_err engine_read_settings(struct engine *e);
void engine_find_programs(struct engine *e);

/* ---- engine_parts.c ---- */

/* What a failure leaves, engine_stop_parts() stops. The log has said why. */
MH_MUST_USE enum mh_err engine_make(struct engine *e);

/* ---- engine_load.c: what Redis and the queue report ---- */

void engine_on_redis_state(void *engine, bool up, const char *why);
void engine_on_joined(void *engine);
void engine_on_shards_differ(void *engine);

/* ---- engine_stop.c ---- */

void engine_begin_stop(struct engine *e, int exit_code);    /* once; drains, then stops the parts */
void engine_on_drain(struct timer *drain);
void engine_stop_parts(struct engine *e);       /* those that there are */
void engine_free_parts(struct engine *e);       /* runs the loop until all has ended */
