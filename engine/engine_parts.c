/* engine_parts.c - the engine's parts, made in an order in which each has those that it uses. */
#include "engine_internal.h"
#include "supervisor.h"

#include "core/plugins_record.h"
#include "io/data_lock.h"

#include <string.h>
#include <unistd.h>

enum { MAX_OUTBOUND = 1024 };

/* A key of each part of Redis: the configuration first, then each shard of the queue. */
static void name_needs(struct engine *e)
{
    _Static_assert((int)QUEUE_MAX_SHARDS < (int)REDIS_MAX_NEEDS, "redis.h takes them all");
    size_t shards = (size_t)e->settings->queue_shards;

    e->redis_needs[0] = mem_printf("%s:{c}", e->settings->prefix);
    for (size_t i = 0; i < shards; i++)
        e->redis_needs[1 + i] = queues_keys(e->settings->prefix, i, shards);
}

static enum mh_err start_redis(struct engine *e)
{
    const struct settings *s = e->settings;
    const char            *url = s->redis;
    enum mh_err            err = MH_OK;

    if (url[0] == '\0') {
        struct redis_server_spec spec = { .data_dir = s->data, .program = s->redis_server,
                                          .fsync = s->redis_fsync,
                                          .max_memory_bytes = s->redis_memory };
        err = redis_server_start(&e->loop, &spec, &e->redis_server);
        if (err == MH_OK)
            url = redis_server_url(e->redis_server);
    }
    name_needs(e);
    struct redis_spec spec = { .url = url, .ca_file = s->ca_file[0] ? s->ca_file : NULL,
                               .state = engine_on_redis_state, .arg = e,
                               .needs = (const char *const *)e->redis_needs,
                               .wait_replicas = s->redis_wait, .wait_ms = s->redis_wait_timeout };
    return err == MH_OK ? redis_open(&e->loop, &spec, &e->redis) : err;
}

static bool is_told(const struct engine *e, const char *word)
{
    return e->predecessor != NULL && strcmp(e->predecessor, word) == 0;
}

static void make_pipeline(struct engine *e)
{
    const struct settings *s = e->settings;

    e->store = store_new(e->redis, s->prefix);
    e->dispatch = dispatch_new((size_t)s->webhook_attempts);
    e->held.most_bytes = (size_t)s->max_owned_bytes;
    queues_new(&e->loop, &(struct queue_spec){
        .redis = e->redis, .prefix = s->prefix, .keep_ms = s->retention,
        .log_entries = s->retention_count, .keep_events = s->retention_events,
        .keep_dead = s->retention_dead, .max_owned = (size_t)s->max_owned, .held = &e->held,
        .max_backlog = s->max_backlog, .alone = e->redis_server != NULL,
        .first = is_told(e, WORKER_FIRST),
        .predecessor = e->predecessor && id_valid(e->predecessor) ? e->predecessor : NULL,
        .joined = engine_on_joined, .differ = engine_on_shards_differ, .engine = e,
        .owned = dispatch_owned,
        .find_target = dispatch_find_target, .dropped = dispatch_dropped,
        .written = dispatch_written, .crowded = dispatch_crowded,
        .arg = e->dispatch }, (size_t)s->queue_shards, &e->queues);
    dispatch_set_queues(e->dispatch, e->queues);
    e->broker = broker_new(&(struct broker_spec){ .loop = &e->loop, .http = e->http,
        .redis = e->redis, .prefix = s->prefix, .dispatch = e->dispatch, .queues = e->queues });
    e->replays = replays_new(&e->loop, e->queues, e->dispatch);
    list_init(&e->retired_instances);
    e->host_of_plugins = (struct instance_host){ .loop = &e->loop, .broker = e->broker,
        .jail = &e->jail, .program = e->sandbox_program, .retired = &e->retired_instances,
        .ceilings = {
#define X(NAME, field, manifest, unit, otherwise, setting, what) .field = s->setting,
            MH_LIMITS(X)
#undef X
        } };
}

static const struct rotation_kind sealed_kinds[] = {
    { "webhooks", endpoints_secret_about }, { "plugins", plugins_secret_about }, { NULL, NULL },
};

static void make_targets(struct engine *e)
{
    const struct settings *s = e->settings;

    e->keys = keys_new(e->store);
    e->endpoints = endpoints_new(&(struct endpoints_spec){
        .loop = &e->loop, .http = e->http, .dispatch = e->dispatch, .store = e->store,
        .vault = e->vault, .probe_after_ms = s->webhook_probe_after,
        .disable_after_ms = s->webhook_disable_after, .overlap_ms = s->webhook_secret_overlap,
        .most = { .timeout_ms = s->webhook_timeout, .schedule = &e->webhook_schedule,
                  .concurrency = (unsigned)s->webhook_concurrency } });
    e->plugins = plugins_new(&(struct plugins_spec){
        .plugin = { .host = &e->host_of_plugins, .dispatch = e->dispatch,
                    .schedule = &e->plugin_schedule, .concurrency = (unsigned)s->hook_concurrency,
                    .idle_timeout_ms = s->idle_timeout },
        .store = e->store, .vault = e->vault, .dirs = e->plugin_dirs,
        .watch = s->watch });
    e->rotation = rotation_new(&(struct rotation_spec){
        .loop = &e->loop, .vault = e->vault, .store = e->store, .redis = e->redis,
        .queues = e->queues, .kinds = sealed_kinds, .own_redis = e->redis_server != NULL });
    e->followers[0] = (struct store_follower){ "keys", keys_heard, e->keys };
    e->followers[1] = (struct store_follower){ "webhooks", endpoints_heard, e->endpoints };
    e->followers[2] = (struct store_follower){ "gates", endpoints_heard_gate, e->endpoints };
    e->followers[3] = (struct store_follower){ "plugins", plugins_heard, e->plugins };
    e->api = (struct api){ .loop = &e->loop, .keys = e->keys, .queues = e->queues,
        .dispatch = e->dispatch, .replays = e->replays, .replay_rate = s->replay_rate,
        .plugins = e->plugins, .endpoints = e->endpoints,
        .broker = e->broker, .rotation = e->rotation, .redis = e->redis, .redis_server = e->redis_server,
        .jail = &e->jail };
}

static bool may_dial(void *arg, const struct sockaddr *address)
{
    struct engine *e = arg;
    return policy_address_allowed(&e->private_allowed, address);
}

enum mh_err engine_make(struct engine *e)
{
    engine_find_programs(e);
    e->jail.full = strcmp(e->settings->require_jail, "full") == 0;
    enum mh_err err = engine_read_settings(e);
    if (err == MH_OK && access(e->sandbox_program, X_OK) != 0)
        err = engine_bad_setting("sandbox", e->sandbox_program, "the moonhook-sandbox program");
    if (err == MH_OK)
        err = data_dir_make(e->settings->data);
    if (err == MH_OK)
        err = vault_open(e->settings->data, &e->vault);
    if (err == MH_OK)
        err = start_redis(e);
    if (err == MH_OK)
        err = http_client_new(&e->loop, &(struct http_client_spec){
            .ca_file = e->settings->ca_file, .max_connections = MAX_OUTBOUND, .allow = may_dial,
            .arg = e }, &e->http);
    if (err != MH_OK)
        return err;
    make_pipeline(e);
    make_targets(e);
    return MH_OK;
}
