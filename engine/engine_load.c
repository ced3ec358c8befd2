/* engine_load.c - from an answering Redis to a served port: the jail probed, what is stored
 * loaded, the queue joined, the HTTP server begun. A step that Redis was lost in is done again
 * when it is back. */
#include "engine_internal.h"
#include "supervisor.h"

#include "base/log.h"
#include "core/queue_layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { IDLE_TIMEOUT_S = 75 };

static void tell_supervisor(struct engine *e, const char *word)
{
    if (e->parent_fd >= 0 && write(e->parent_fd, word, strlen(word)) < 0)
        LOG_WARN("supervisor_not_told", "word=%s reason=\"%s\"", word, strerror(errno));
}

static void say_ready(struct engine *e)
{
    char text[LISTEN_TEXT_BYTES];

    e->address.port = http_server_port(e->server);
    if (e->parent_fd >= 0) {
        tell_supervisor(e, WORKER_READY);
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
        engine_begin_stop(e, 1);
        return;
    }
    e->serving = e->api.ready = true;
    say_ready(e);
}

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
            engine_begin_stop(e, 1);
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
        engine_begin_stop(e, 1);
        return;
    }
    e->loaded_steps++;
    load_next(e);
}

/* The queue joins only when targets are known: claims need them. */
static void load_next(struct engine *e)
{
    enum { JAIL, LAYOUT, REVISION, KEYS, ENDPOINTS, PLUGINS, DONE };

    e->loading = e->loaded_steps < DONE;
    switch (e->loaded_steps) {
    case JAIL:      jail_probe(&e->jail, &e->loop, e->sandbox_program, on_jail_known, e); break;
    case LAYOUT:    queue_layout_agree(e->redis, e->settings->prefix,
                                       (size_t)e->settings->queue_shards, on_step_loaded, e); break;
    case REVISION:  store_begin(e->store, on_step_loaded, e); break;
    case KEYS:      keys_load(e->keys, e->settings->data, on_step_loaded, e); break;
    case ENDPOINTS: endpoints_load(e->endpoints, on_step_loaded, e); break;
    case PLUGINS:   plugins_load(e->plugins, on_step_loaded, e); break;
    case DONE:
        store_follow(e->store, &e->loop, e->followers);
        queues_join(e->queues);
        rotation_resume(e->rotation);
        break;
    }
}

void engine_on_joined(void *arg)
{
    struct engine *e = arg;

    tell_supervisor(e, queue_engine(queues_at(e->queues, 0)));
    dispatch_written(e->dispatch);          /* what was unwritten may have been given up */
    if (!e->serving && !e->stopping)
        begin_serving(e);
}

void engine_on_shards_differ(void *arg) { engine_begin_stop(arg, 1); }

void engine_on_redis_state(void *arg, bool up, const char *why)
{
    struct engine *e = arg;

    (void)up, (void)why;
    if (e->queues == NULL || e->loading || (e->stopping && !e->serving))
        return;
    if (!e->stopping && redis_reaches(e->redis, e->redis_needs[0]))
        load_next(e);
    else
        queues_redis_state(e->queues);
}
