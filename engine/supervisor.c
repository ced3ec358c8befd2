/* supervisor.c - see supervisor.h.
 *
 * The kernel spreads connections over the workers (SO_REUSEPORT); what they share is in
 * Redis. The supervisor itself serves nothing: it holds the port, runs the managed Redis,
 * starts the first worker alone (who makes keys and folders) and then the others, and
 * starts again whoever dies. A worker ends with its supervisor, whatever ended that: by
 * the kernel's word (PR_SET_PDEATHSIG), and when their channel closes (engine.c).
 * Nobody else knows at once that a worker ended: so its successor is told its name, and
 * takes over what it held without waiting for its silence (queue_spec.predecessor). */
#include "supervisor.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "core/listen.h"
#include "core/settings.h"
#include "io/child.h"
#include "io/data_lock.h"
#include "io/http_listener.h"
#include "io/redis_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AGAIN_FIRST_MS = 100, AGAIN_MAX_MS = 5000, STEADY_MS = 10000 };

struct supervisor;

struct worker {
    struct supervisor *sv;
    unsigned           number;              /* from 1 */
    struct child      *child;               /* NULL while it is down */
    struct timer       again;
    int64_t            started_ms, again_ms;
    bool               served;              /* since the supervisor began */
    char               engine[MH_ID_BYTES]; /* the last name that it had in Redis, or "" */
};

/* Where one process of a worker speaks. */
struct line { uv_poll_t poll; int fd; struct worker *worker; };

struct supervisor {
    const struct settings *settings;
    uv_loop_t              loop;
    uv_signal_t            sigterm, sigint;
    struct redis_server   *redis;           /* the managed one; NULL with --redis */
    struct worker         *workers;
    unsigned               count;
    struct listen_address  address;
    int                    port_fd;         /* bound, never listening: keeps the port ours */
    const char           **argv;            /* of a worker */
    char                   program[4096], *listen_flag, *redis_flag;
    bool                   ready, stopping;
    int                    exit_code;
};

static void worker_start(struct worker *w);
static void begin_stop(struct supervisor *sv, int exit_code);

/* ---- Readiness ------------------------------------------------------------------- */

static void say_ready(struct supervisor *sv)
{
    char text[LISTEN_TEXT_BYTES];

    sv->ready = true;
    printf("ready %s://%s\n", sv->settings->tls_cert[0] ? "https" : "http",
           listen_format(&sv->address, text));
    fflush(stdout);
}

static void on_serving(struct worker *w)
{
    struct supervisor *sv = w->sv;
    bool               first = w == sv->workers && !w->served, all = true;

    w->served = true;
    LOG_INFO("worker_serves", "worker=%u pid=%d", w->number, w->child ? child_pid(w->child) : 0);
    for (unsigned i = 1; first && !sv->stopping && i < sv->count; i++)
        worker_start(&sv->workers[i]);
    for (unsigned i = 0; i < sv->count; i++)
        all = all && sv->workers[i].served;
    if (all && !sv->ready)
        say_ready(sv);
}

static void on_line_closed(uv_handle_t *handle)
{
    struct line *line = container_of((uv_poll_t *)handle, struct line, poll);

    close(line->fd);
    free(line);
}

static void on_line(uv_poll_t *poll, int status, int events)
{
    struct line *line = container_of(poll, struct line, poll);
    char         word[MH_ID_BYTES];
    ssize_t      bytes = read(line->fd, word, sizeof word - 1);

    (void)status, (void)events;
    if (bytes <= 0) {
        uv_close((uv_handle_t *)poll, on_line_closed);      /* its process ended */
        return;
    }
    word[bytes] = '\0';
    if (strcmp(word, WORKER_READY) == 0)
        on_serving(line->worker);
    else if (id_valid(word))
        memcpy(line->worker->engine, word, sizeof word);
}

/* Takes `fd`. */
static void listen_to(struct worker *w, int fd)
{
    struct line *line = mem_alloc(sizeof *line);

    line->fd = fd;
    line->worker = w;
    uv_poll_init(&w->sv->loop, &line->poll, fd);
    uv_poll_start(&line->poll, UV_READABLE, on_line);
}

/* ---- A worker's life --------------------------------------------------------------- */

static void on_redis_stopped(void *arg)
{
    struct supervisor *sv = arg;
    sv->redis = NULL;
}

static void maybe_end(struct supervisor *sv)
{
    for (unsigned i = 0; i < sv->count; i++)
        if (sv->workers[i].child != NULL)
            return;
    for (unsigned i = 0; i < sv->count; i++)
        timer_close(&sv->workers[i].again, NULL);
    if (sv->redis != NULL)
        redis_server_stop(sv->redis, on_redis_stopped, sv);
    uv_close((uv_handle_t *)&sv->sigterm, NULL);
    uv_close((uv_handle_t *)&sv->sigint, NULL);
}

/* One that cannot even start, before anybody served, would not be helped by trying again. */
static bool is_hopeless(const struct supervisor *sv, int wait_status)
{
    return !sv->ready && WIFEXITED(wait_status);
}

static void on_exited(void *arg, int wait_status)
{
    struct worker     *w = arg;
    struct supervisor *sv = w->sv;
    char               text[CHILD_STATUS_BYTES];
    bool               in_order = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;

    w->child = NULL;
    if (sv->stopping && !in_order)
        sv->exit_code = 1;
    if (!sv->stopping || !in_order)
        LOG_WARN("worker_ended", "worker=%u status=\"%s\"", w->number,
                 child_status_text(wait_status, text));
    if (sv->stopping)
        maybe_end(sv);
    else if (is_hopeless(sv, wait_status))
        begin_stop(sv, 1);
    else {
        bool steady = clock_mono_ms() - w->started_ms >= STEADY_MS;
        w->again_ms = steady || w->again_ms == 0 ? AGAIN_FIRST_MS : 2 * w->again_ms;
        w->again_ms = w->again_ms < AGAIN_MAX_MS ? w->again_ms : AGAIN_MAX_MS;
        timer_start(&w->again, w->again_ms);
    }
}

static const char *whose_work(const struct worker *w)
{
    bool first = w->sv->redis != NULL && w == w->sv->workers && !w->served;

    return w->engine[0] ? w->engine : first ? WORKER_FIRST : WORKER_NEW;
}

static void worker_start(struct worker *w)
{
    struct supervisor *sv = w->sv;
    int                fds[2] = { -1, -1 };

    w->started_ms = clock_mono_ms();
    setenv(WORKER_VARIABLE, whose_work(w), 1);
    enum mh_err err = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0 ? MH_OK : MH_IO;
    struct child_spec spec = { .argv = sv->argv, .fd3 = fds[1], .keep_stderr = true,
                               .own_group = true };         /* ^C reaches it through us, once */
    if (err == MH_OK)
        err = child_start(&sv->loop, &spec, on_exited, w, &w->child);
    if (fds[1] >= 0)
        close(fds[1]);
    if (err == MH_OK) {
        listen_to(w, fds[0]);
        return;
    }
    if (fds[0] >= 0)
        close(fds[0]);
    timer_start(&w->again, AGAIN_MAX_MS);
}

static void on_again(struct timer *again)
{
    worker_start(container_of(again, struct worker, again));
}

/* ---- Start ----------------------------------------------------------------------------- */

/* Two moonhooks that shared a port by mistake would each get some of the connections, so
 * the port is first asked for as one that is not to be shared. */
static enum mh_err take_port(struct supervisor *sv)
{
    char        text[LISTEN_TEXT_BYTES];
    int         probe;
    enum mh_err err = http_listener_reserve(sv->address.host, sv->address.port, false, &probe);

    if (err != MH_OK)
        return err;
    sv->address.port = http_listener_port(probe);
    close(probe);
    err = http_listener_reserve(sv->address.host, sv->address.port, true, &sv->port_fd);
    sv->listen_flag = mem_printf("--listen=%s", listen_format(&sv->address, text));
    return err;
}

static enum mh_err start_redis(struct supervisor *sv)
{
    const struct settings *s = sv->settings;
    struct redis_server_spec spec = { .data_dir = s->data, .program = s->redis_server,
                                      .fsync = s->redis_fsync,
                                      .max_memory_bytes = s->redis_memory };

    if (s->redis[0] != '\0')
        return MH_OK;
    enum mh_err err = redis_server_start(&sv->loop, &spec, &sv->redis);
    if (err == MH_OK)
        sv->redis_flag = mem_printf("--redis=%s", redis_server_url(sv->redis));
    return err;
}

/* The same command line; what is said last holds. */
static void make_command(struct supervisor *sv, int argc, char **argv)
{
    ssize_t bytes = readlink("/proc/self/exe", sv->program, sizeof sv->program - 1);
    int     n = 0;

    sv->program[bytes > 0 ? bytes : 0] = '\0';
    sv->argv = mem_alloc((size_t)(argc + 6) * sizeof *sv->argv);
    sv->argv[n++] = sv->program;
    sv->argv[n++] = "serve";
    for (int i = 0; i < argc; i++)
        sv->argv[n++] = argv[i];
    sv->argv[n++] = "--workers=1";
    sv->argv[n++] = sv->listen_flag;
    sv->argv[n++] = sv->redis_flag;         /* NULL where --redis is among argv */
}

static void make_workers(struct supervisor *sv)
{
    sv->count = (unsigned)sv->settings->workers;
    sv->workers = mem_alloc(sv->count * sizeof *sv->workers);
    for (unsigned i = 0; i < sv->count; i++) {
        sv->workers[i].sv = sv;
        sv->workers[i].number = i + 1;
        timer_init(&sv->workers[i].again, &sv->loop, on_again);
    }
}

static enum mh_err start(struct supervisor *sv, int argc, char **argv)
{
    enum mh_err err = listen_parse(sv->settings->listen, &sv->address);

    if (err != MH_OK)
        LOG_ERROR("setting_invalid", "setting=--listen value=\"%s\" wanted=\"ADDR:PORT\"",
                  sv->settings->listen);
    if (err == MH_OK)
        err = data_dir_make(sv->settings->data);
    if (err == MH_OK)
        err = take_port(sv);
    if (err == MH_OK)
        err = start_redis(sv);
    if (err != MH_OK)
        return err;
    make_command(sv, argc, argv);
    worker_start(&sv->workers[0]);
    return MH_OK;
}

/* ---- Stop ------------------------------------------------------------------------------- */

static void begin_stop(struct supervisor *sv, int exit_code)
{
    sv->stopping = true;
    sv->exit_code = exit_code;
    for (unsigned i = 0; i < sv->count; i++) {
        timer_stop(&sv->workers[i].again);
        if (sv->workers[i].child != NULL)
            child_signal(sv->workers[i].child, SIGTERM);
    }
    maybe_end(sv);
}

static void on_signal(uv_signal_t *handle, int signal)
{
    struct supervisor *sv = handle->data;

    if (sv->stopping) {
        LOG_WARN("stop_forced", "signal=%d", signal);
        _exit(130);                         /* the workers end with us */
    }
    LOG_INFO("stopping", "signal=%d workers=%u", signal, sv->count);
    begin_stop(sv, 0);
}

static void watch_signal(struct supervisor *sv, uv_signal_t *handle, int signal)
{
    uv_signal_init(&sv->loop, handle);
    handle->data = sv;
    uv_signal_start(handle, on_signal, signal);
}

int supervisor_run(const struct settings *settings, int argc, char **argv)
{
    struct supervisor sv = { .settings = settings, .port_fd = -1 };

    uv_loop_init(&sv.loop);
    watch_signal(&sv, &sv.sigterm, SIGTERM);
    watch_signal(&sv, &sv.sigint, SIGINT);
    make_workers(&sv);
    if (start(&sv, argc, argv) != MH_OK)
        begin_stop(&sv, 1);
    uv_run(&sv.loop, UV_RUN_DEFAULT);
    if (sv.port_fd >= 0)
        close(sv.port_fd);
    free(sv.workers);
    free(sv.argv);
    free(sv.listen_flag);
    free(sv.redis_flag);
    uv_loop_close(&sv.loop);
    return sv.exit_code;
}
