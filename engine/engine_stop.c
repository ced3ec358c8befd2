/* engine_stop.c - the engine's end: drained, then each part stopped and freed in reverse order. */
#include "engine_internal.h"

#include "base/log.h"

#include <stdlib.h>

enum { DRAIN_LOOK_MS = 20 };

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
void engine_stop_parts(struct engine *e)
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
    if (e->queues != NULL)
        queues_leave(e->queues, on_queue_left, e);
    else
        on_queue_left(e);
}

void engine_on_drain(struct timer *t)
{
    struct engine *e = container_of(t, struct engine, drain);
    size_t         attempts = e->dispatch ? dispatch_in_flight(e->dispatch) : 0;
    size_t         requests = e->server ? http_server_pending(e->server) : 0;
    size_t         records = e->queues ? queues_unwritten(e->queues) : 0;
    bool           over = uv_now(&e->loop) >= (uint64_t)e->drain_until_ms;

    /* What is being loaded goes to modules that are about to end; Redis answers or is
     * lost within seconds. */
    if (e->loading || (attempts + requests + records > 0 && !over)) {
        timer_start(&e->drain, DRAIN_LOOK_MS);
        return;
    }
    LOG_INFO("drained", "attempts_left=%zu requests_left=%zu records_left=%zu", attempts, requests,
             records);
    engine_stop_parts(e);
}

void engine_begin_stop(struct engine *e, int exit_code)
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

void engine_free_parts(struct engine *e)
{
    if (e->replays != NULL)
        replays_free(e->replays);
    if (e->queues != NULL)
        queues_free(e->queues);
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
    for (size_t i = 0; e->redis_needs[i] != NULL; i++)
        free(e->redis_needs[i]);
}
