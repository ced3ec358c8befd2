/* engine.c - the running engine: everything started in order, and stopped in order.
 *
 * Start: data directory, master key, managed Redis, connection, pipeline; when Redis
 * answers: the jail probed, keys, webhooks, plugins; when the queue has joined: the HTTP server, and
 * the line `ready http://ADDR:PORT`. Stop (SIGTERM, SIGINT): no new connections, no
 * new attempts; what is under way ends, at most drain-timeout; what is left goes
 * back to the queue; then each part in reverse order. A second signal ends at once. */
#include "engine.h"

#include "api/api.h"
#include "base/log.h"
#include "core/plugins_record.h"
#include "core/listen.h"
#include "core/settings.h"
#include "io/data_lock.h"
#include "io/redis_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { DRAIN_LOOK_MS = 20, IDLE_TIMEOUT_S = 75, MAX_OUTBOUND = 1024 };

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
    char                  *cert_pem, *key_pem;
    const char           **plugin_dirs;
    char                  *shipped_dir, *sandbox_program;
    char                  *redis_needs[3];  /* one key of each part of Redis, then NULL */
    struct policy_ranges   private_allowed;
    struct schedule        webhook_schedule, plugin_schedule;
    struct jail            jail;
    struct instance_host   host_of_plugins;
    struct list            retired_instances;
    struct vault          *vault;
    struct redis_server   *redis_server;
    struct redis          *redis;
    struct store          *store;
    struct store_follower  followers[4];    /* keys, webhooks, plugins, the end */
    struct queue          *queue;
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

static void begin_stop(struct engine *e, int exit_code);

/* ---- What settings mean --------------------------------------------------------------- */

static enum mh_err bad_setting(const char *flag, const char *value, const char *wanted)
{
    LOG_ERROR("setting_invalid", "setting=--%s value=\"%s\" wanted=\"%s\"", flag, value, wanted);
    return MH_INVALID;
}

static enum mh_err read_pem(const char *flag, const char *path, char **out)
{
    enum { MAX_PEM = 1 << 20 };
    FILE  *file = fopen(path, "re");
    char  *text = mem_alloc(MAX_PEM + 1);
    size_t bytes = file ? fread(text, 1, MAX_PEM, file) : 0;

    if (file != NULL)
        fclose(file);
    if (bytes == 0) {
        free(text);
        return bad_setting(flag, path, "a PEM file that can be read");
    }
    *out = text;
    return MH_OK;
}

static enum mh_err read_tls(struct engine *e)
{
    const struct settings *s = e->settings;

    if (s->tls_cert[0] == '\0' && s->tls_key[0] == '\0')
        return MH_OK;
    if (s->tls_cert[0] == '\0' || s->tls_key[0] == '\0')
        return bad_setting("tls-cert", s->tls_cert, "--tls-cert and --tls-key together");
    enum mh_err err = read_pem("tls-cert", s->tls_cert, &e->cert_pem);
    return err == MH_OK ? read_pem("tls-key", s->tls_key, &e->key_pem) : err;
}

static enum mh_err parse_settings(struct engine *e)
{
    const struct settings *s = e->settings;

    for (size_t i = 0; i < s->allow_private.count; i++)
        if (policy_ranges_add(&e->private_allowed, s->allow_private.item[i]) != MH_OK)
            return bad_setting("allow-private", s->allow_private.item[i], "10.0.0.0/8, ::1/128, ...");
    if (schedule_parse(s->retry_schedule, &e->webhook_schedule) != MH_OK)
        return bad_setting("retry-schedule", s->retry_schedule, "0s,5s,5m,...");
    if (schedule_parse(s->plugin_retry_schedule, &e->plugin_schedule) != MH_OK)
        return bad_setting("plugin-retry-schedule", s->plugin_retry_schedule, "0s,2s,10s,...");
    if (listen_parse(s->listen, &e->address) != MH_OK)
        return bad_setting("listen", s->listen, "ADDR:PORT");
    return read_tls(e);
}

static char *beside_program(const char *name)
{
    char    path[4096];
    ssize_t bytes = readlink("/proc/self/exe", path, sizeof path - 1);

    path[bytes > 0 ? bytes : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash != NULL)
        *slash = '\0';
    return mem_printf("%s/%s", path, name);
}

/* The operator's folders first, then the shipped ones: installed, or of a build tree. */
static void find_programs(struct engine *e)
{
    const struct setting_list *given = &e->settings->plugins;

    e->sandbox_program = e->settings->sandbox[0] ? mem_strdup(e->settings->sandbox)
                                                 : beside_program("moonhook-sandbox");
    e->shipped_dir = beside_program("../share/moonhook/plugins");
    if (access(e->shipped_dir, R_OK) != 0) {
        free(e->shipped_dir);
        e->shipped_dir = beside_program("../plugins");
    }
    e->plugin_dirs = mem_alloc((given->count + 2) * sizeof(char *));
    for (size_t i = 0; i < given->count; i++)
        e->plugin_dirs[i] = given->item[i];
    e->plugin_dirs[given->count] = e->shipped_dir;
}

/* ---- Start ------------------------------------------------------------------------------- */

static bool may_dial(void *arg, const struct sockaddr *address)
{
    struct engine *e = arg;
    return policy_address_allowed(&e->private_allowed, address);
}

static void say_ready(struct engine *e)
{
    char text[LISTEN_TEXT_BYTES];

    e->address.port = http_server_port(e->server);
    if (e->parent_fd >= 0) {
        if (write(e->parent_fd, "r", 1) != 1)
            LOG_WARN("supervisor_not_told", "reason=\"%s\"", strerror(errno));
        return;
    }
    printf("ready %s://%s\n", e->cert_pem ? "https" : "http", listen_format(&e->address, text));
    fflush(stdout);
}

static void begin_serving(struct engine *e)
{
    const struct settings *s = e->settings;
    struct http_server_spec spec = {
        .host = e->address.host, .port = e->address.port, .reuse_port = e->parent_fd >= 0,
        .max_body_bytes = (size_t)s->max_body, .max_connections = (size_t)s->max_connections,
        .idle_timeout_s = IDLE_TIMEOUT_S, .tls_cert_pem = e->cert_pem, .tls_key_pem = e->key_pem,
        .handle = api_handle, .problem = api_problem_text, .arg = &e->api,
    };

    if (http_server_start(&e->loop, &spec, &e->server) != MH_OK) {
        begin_stop(e, 1);
        return;
    }
    e->serving = e->api.ready = true;
    say_ready(e);
}

/* Loading, step by step; a step that Redis was lost in is done again when it is back. */
static void load_next(struct engine *e);

static void on_step_loaded(void *arg, enum mh_err err)
{
    struct engine *e = arg;

    e->loading = false;
    if (e->stopping)
        return;
    if (err != MH_OK) {
        LOG_WARN("load_interrupted", "step=%u error=%s", e->loaded_steps, err_code(err));
        if (err != MH_UNAVAILABLE)          /* nothing that Redis's return would mend */
            begin_stop(e, 1);
        return;
    }
    e->loaded_steps++;
    load_next(e);
}

static void on_jail_known(void *arg, enum mh_err err)
{
    struct engine *e = arg;

    e->loading = false;
    if (e->stopping)
        return;
    if (err != MH_OK) {                     /* the log has said why */
        begin_stop(e, 1);
        return;
    }
    e->loaded_steps++;
    load_next(e);
}

/* The queue joins only when targets are known: claims need them. */
static void load_next(struct engine *e)
{
    enum { JAIL, REVISION, KEYS, ENDPOINTS, PLUGINS, DONE };

    e->loading = e->loaded_steps < DONE;
    switch (e->loaded_steps) {
    case JAIL:      jail_probe(&e->jail, &e->loop, e->sandbox_program, on_jail_known, e); break;
    case REVISION:  store_begin(e->store, on_step_loaded, e); break;
    case KEYS:      keys_load(e->keys, e->settings->data, on_step_loaded, e); break;
    case ENDPOINTS: endpoints_load(e->endpoints, on_step_loaded, e); break;
    case PLUGINS:   plugins_load(e->plugins, on_step_loaded, e); break;
    case DONE:
        store_follow(e->store, &e->loop, e->followers);
        queue_redis_state(e->queue, redis_is_up(e->redis));
        rotation_resume(e->rotation);
        break;
    }
}

static void on_joined(void *arg)
{
    struct engine *e = arg;

    dispatch_written(e->dispatch);          /* what was unwritten may have been given up */
    if (!e->serving && !e->stopping)
        begin_serving(e);
}

static void on_redis_state(void *arg, bool up, const char *why)
{
    struct engine *e = arg;

    (void)why;
    if (e->queue == NULL || e->loading || (e->stopping && !e->serving))
        return;
    if (up && !e->stopping)
        load_next(e);
    else
        queue_redis_state(e->queue, up);
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
    e->redis_needs[0] = mem_printf("%s:{q}", s->prefix);
    e->redis_needs[1] = mem_printf("%s:{c}", s->prefix);
    struct redis_spec spec = { .url = url, .ca_file = s->ca_file[0] ? s->ca_file : NULL,
                               .state = on_redis_state, .arg = e,
                               .needs = (const char *const *)e->redis_needs,
                               .wait_replicas = s->redis_wait, .wait_ms = s->redis_wait_timeout };
    return err == MH_OK ? redis_open(&e->loop, &spec, &e->redis) : err;
}

static void make_pipeline(struct engine *e)
{
    const struct settings *s = e->settings;

    e->store = store_new(e->redis, s->prefix);
    e->dispatch = dispatch_new();
    queue_new(&e->loop, &(struct queue_spec){
        .redis = e->redis, .prefix = s->prefix, .keep_ms = s->retention,
        .log_entries = s->retention_count, .keep_events = s->retention_events,
        .keep_dead = s->retention_dead, .max_owned = (size_t)s->max_owned,
        .max_backlog = s->max_backlog, .alone = e->redis_server != NULL,
        .joined = on_joined, .engine = e, .owned = dispatch_owned,
        .find_target = dispatch_find_target, .dropped = dispatch_dropped,
        .written = dispatch_written,
        .arg = e->dispatch }, &e->queue);
    dispatch_set_queue(e->dispatch, e->queue);
    e->broker = broker_new(&(struct broker_spec){ .http = e->http, .redis = e->redis,
        .prefix = s->prefix, .dispatch = e->dispatch, .queue = e->queue });
    e->replays = replays_new(&e->loop, e->queue, e->dispatch);
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
        .queue = e->queue, .kinds = sealed_kinds, .own_redis = e->redis_server != NULL });
    e->followers[0] = (struct store_follower){ "keys", keys_heard, e->keys };
    e->followers[1] = (struct store_follower){ "webhooks", endpoints_heard, e->endpoints };
    e->followers[2] = (struct store_follower){ "plugins", plugins_heard, e->plugins };
    e->api = (struct api){ .loop = &e->loop, .keys = e->keys, .queue = e->queue,
        .dispatch = e->dispatch, .replays = e->replays, .replay_rate = s->replay_rate,
        .plugins = e->plugins, .endpoints = e->endpoints,
        .broker = e->broker, .rotation = e->rotation, .redis = e->redis, .jail = &e->jail };
}

static enum mh_err start(struct engine *e)
{
    find_programs(e);
    e->jail.full = strcmp(e->settings->require_jail, "full") == 0;
    enum mh_err err = parse_settings(e);
    if (err == MH_OK && access(e->sandbox_program, X_OK) != 0)
        err = bad_setting("sandbox", e->sandbox_program, "the moonhook-sandbox program");
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

/* ---- Stop, in reverse order ------------------------------------------------------------------ */

static void on_redis_server_stopped(void *arg)
{
    struct engine *e = arg;
    e->redis_server = NULL;
}

static void close_rest(struct engine *e)
{
    if (e->redis != NULL)
        redis_close(e->redis);
    if (e->redis_server != NULL)
        redis_server_stop(e->redis_server, on_redis_server_stopped, e);
    timer_close(&e->drain, NULL);
    uv_close((uv_handle_t *)&e->sigterm, NULL);
    uv_close((uv_handle_t *)&e->sigint, NULL);
    if (e->parent_fd >= 0)
        uv_close((uv_handle_t *)&e->parent, NULL);
}

static void on_queue_left(void *arg)
{
    struct engine *e = arg;

    if (e->server != NULL)
        http_server_stop(e->server);
    e->server = NULL;
    close_rest(e);
}

/* Nothing is under way any more, or the time is over. */
static void stop_targets(struct engine *e)
{
    if (e->store != NULL)
        store_unfollow(e->store);
    if (e->plugins != NULL) {
        plugins_free(e->plugins);
        instance_stop_retired(&e->host_of_plugins);
    }
    if (e->http != NULL)
        http_client_free(e->http);
    if (e->endpoints != NULL)
        endpoints_free(e->endpoints);
    if (e->rotation != NULL)
        rotation_free(e->rotation);
    if (e->queue != NULL)
        queue_leave(e->queue, on_queue_left, e);
    else
        on_queue_left(e);
}

static void on_drain(struct timer *t)
{
    struct engine *e = container_of(t, struct engine, drain);
    size_t         attempts = e->dispatch ? dispatch_in_flight(e->dispatch) : 0;
    size_t         requests = e->server ? http_server_pending(e->server) : 0;
    size_t         records = e->queue ? queue_unwritten(e->queue) : 0;
    bool           over = uv_now(&e->loop) >= (uint64_t)e->drain_until_ms;

    /* What is being loaded goes to modules that are about to end; Redis answers or is
     * lost within seconds. */
    if (e->loading || (attempts + requests + records > 0 && !over)) {
        timer_start(&e->drain, DRAIN_LOOK_MS);
        return;
    }
    LOG_INFO("drained", "attempts_left=%zu requests_left=%zu records_left=%zu", attempts, requests,
             records);
    stop_targets(e);
}

static void begin_stop(struct engine *e, int exit_code)
{
    if (e->stopping)
        return;
    e->stopping = e->api.draining = true;
    e->exit_code = exit_code;
    if (e->server != NULL)
        http_server_quiesce(e->server);
    if (e->replays != NULL)
        replays_stop(e->replays);
    if (e->dispatch != NULL)
        dispatch_quiesce(e->dispatch);
    uv_update_time(&e->loop);
    e->drain_until_ms = (int64_t)uv_now(&e->loop) + e->settings->drain_timeout;
    timer_start(&e->drain, 0);
}

static void on_signal(uv_signal_t *handle, int signal)
{
    struct engine *e = handle->data;

    if (e->stopping) {
        LOG_WARN("stop_forced", "signal=%d", signal);
        _exit(130);
    }
    LOG_INFO("stopping", "signal=%d", signal);
    begin_stop(e, 0);
}

static void free_all(struct engine *e)
{
    if (e->replays != NULL)
        replays_free(e->replays);
    if (e->queue != NULL)
        queue_free(e->queue);
    uv_run(&e->loop, UV_RUN_DEFAULT);
    if (e->dispatch != NULL)
        dispatch_free(e->dispatch);
    if (e->keys != NULL)
        keys_free(e->keys);
    if (e->broker != NULL)
        broker_free(e->broker);
    if (e->store != NULL)
        store_free(e->store);
    if (e->vault != NULL)
        vault_close(e->vault);
    free(e->cert_pem);
    free(e->key_pem);
    free(e->plugin_dirs);
    free(e->shipped_dir);
    free(e->sandbox_program);
    free(e->redis_needs[0]);
    free(e->redis_needs[1]);
}

/* Memory holds the plain secrets: a core dump would put them on the disk. Those who
 * debug attach to the process. */
static void forbid_core_dumps(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void watch_signal(struct engine *e, uv_signal_t *handle, int signal)
{
    uv_signal_init(&e->loop, handle);
    handle->data = e;
    uv_signal_start(handle, on_signal, signal);
}

static void on_parent(uv_poll_t *parent, int status, int events)
{
    (void)parent, (void)status, (void)events;
    LOG_ERROR("supervisor_gone", "do=\"this worker ends with it\"");
    _exit(1);
}

/* Nothing ever comes from the supervisor but its end. */
static void watch_parent(struct engine *e)
{
    if (e->parent_fd < 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fcntl(e->parent_fd, F_SETFD, FD_CLOEXEC);
    uv_poll_init(&e->loop, &e->parent, e->parent_fd);
    uv_poll_start(&e->parent, UV_READABLE, on_parent);
}

int engine_run(const struct settings *settings, int parent_fd)
{
    struct engine e = { .settings = settings, .parent_fd = parent_fd };

    forbid_core_dumps();
    raise_descriptor_limit();
    uv_loop_init(&e.loop);
    timer_init(&e.drain, &e.loop, on_drain);
    watch_signal(&e, &e.sigterm, SIGTERM);
    watch_signal(&e, &e.sigint, SIGINT);
    watch_parent(&e);
    if (start(&e) != MH_OK) {
        e.exit_code = 1;
        e.stopping = true;
        stop_targets(&e);
    }
    uv_run(&e.loop, UV_RUN_DEFAULT);
    free_all(&e);
    uv_loop_close(&e.loop);
    return e.exit_code;
}
