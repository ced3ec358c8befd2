/* engine.c - the running engine: everything started in order, and stopped in order.
 *
 * Start: data directory, master key, managed Redis, connection, pipeline; when Redis
 * answers: the jail probed, keys, webhooks, plugins; when the queue has joined: the HTTP server, and
 * the line `ready http://ADDR:PORT`. Stop (SIGTERM, SIGINT): no new connections, no
 * new attempts; what is under way ends, at most drain-timeout; what is left goes
 * back to the queue; then each part in reverse order. A second signal ends at once. */
#include "engine_internal.h"

#include "base/log.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void on_signal(uv_signal_t *handle, int signal)
{
    struct engine *e = handle->data;

    if (e->stopping) {
        LOG_WARN("stop_forced", "signal=%d", signal);
        _exit(130);
    }
    LOG_INFO("stopping", "signal=%d", signal);
    engine_begin_stop(e, 0);
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

int engine_run(const struct settings *settings, int parent_fd, const char *predecessor)
{
    struct engine e = { .settings = settings, .parent_fd = parent_fd, .predecessor = predecessor };

    forbid_core_dumps();
    raise_descriptor_limit();
    uv_loop_init(&e.loop);
    timer_init(&e.drain, &e.loop, engine_on_drain);
    watch_signal(&e, &e.sigterm, SIGTERM);
    watch_signal(&e, &e.sigint, SIGINT);
    watch_parent(&e);
    if (engine_make(&e) != MH_OK) {
        e.exit_code = 1;
        e.stopping = true;
        engine_stop_parts(&e);
    }
    uv_run(&e.loop, UV_RUN_DEFAULT);
    engine_free_parts(&e);
    uv_loop_close(&e.loop);
    return e.exit_code;
}
