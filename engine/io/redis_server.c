/* redis_server.c - see redis_server.h. One child, one state, moved by four
 * events: it ended, it answered, patience ran out, stop was asked for.
 *
 *   PROBING   left over by a crashed engine; does it still answer?
 *   RUNNING   serves
 *   ENDING    told to end because it hangs or was configured otherwise; then anew
 *   BACKOFF   ended by itself; a timer runs until the next start, also while there is no
 *             room on the disk: started then it would answer, and end with its first write
 *   STOPPING  told to end for good
 *
 * The URL is the same in all of them, so whoever uses it just reconnects. */
#include "io/redis_server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/state.h"
#include "io/child.h"
#include "io/data_lock.h"
#include "io/redis.h"
#include "io/redis_home.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PROBE_MS = 5000, END_MS = 5000, STOP_MS = 10000,
    BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 2000,
    STEADY_MS = 10000,                      /* who lived so long is restarted at once */
    ROOM_LOOK_MS = 500,
};

enum { PROBING, RUNNING, ENDING, BACKOFF, STOPPING };

static const struct state states[] = {
    [PROBING]  = { "probing",  STATE(RUNNING) | STATE(ENDING) | STATE(BACKOFF) | STATE(STOPPING) },
    [RUNNING]  = { "running",  STATE(BACKOFF) | STATE(STOPPING) },
    [ENDING]   = { "ending",   STATE(BACKOFF) | STATE(STOPPING) },
    [BACKOFF]  = { "backoff",  STATE(RUNNING) | STATE(BACKOFF) | STATE(STOPPING) },
    [STOPPING] = { "stopping", 0 },
};

struct redis_server {
    uv_loop_t        *loop;
    struct redis_home home;
    char             *program, *url;
    int               lock;
    unsigned          state;
    struct child     *child;                /* NULL while it is down */
    struct redis     *probe;                /* while PROBING */
    struct timer      timer;                /* patience, or the pause of BACKOFF */
    int64_t           started_ms, backoff_ms;
    char              trouble[400];         /* no room on the disk; else "" */
    void            (*stopped)(void *arg);
    void             *stopped_arg;
};

static void move(struct redis_server *s, unsigned to)
{
    state_move(states, &s->state, to, "redis_server", s->home.dir);
}

/* ---- Starting ------------------------------------------------------------------- */

static void on_exited(void *arg, int wait_status);

static enum mh_err spawn(struct redis_server *s)
{
    const char *argv[] = { s->program, "redis.conf", NULL };
    const char *env[] = { "LC_ALL=C", NULL };           /* ours may hold secrets */
    struct child_spec spec = { .argv = argv, .env = env, .cwd = s->home.dir, .fd3 = -1,
                               .keep_stderr = true, .own_group = true };

    s->started_ms = clock_mono_ms();
    enum mh_err err = child_start(s->loop, &spec, on_exited, s, &s->child);
    if (err == MH_OK)
        LOG_INFO("redis_server_started", "pid=%d", child_pid(s->child));
    else if (err == MH_NOT_FOUND)
        LOG_ERROR("redis_server_missing", "program=%s hint=\"install redis-server (apt install "
                  "redis-server), or give --redis URL\"", s->program);
    return err;
}

static int64_t next_pause(struct redis_server *s)
{
    int64_t pause = s->backoff_ms;

    if (s->state == ENDING || clock_mono_ms() - s->started_ms >= STEADY_MS)
        pause = 0;
    s->backoff_ms = pause == 0 ? BACKOFF_FIRST_MS
                               : pause * 2 < BACKOFF_MAX_MS ? pause * 2 : BACKOFF_MAX_MS;
    return pause;
}

/* The child is gone, or could not even be started. */
static void back_off(struct redis_server *s)
{
    int64_t pause = next_pause(s);

    move(s, BACKOFF);
    timer_start(&s->timer, pause);
}

/* Says so when it becomes full; what is said each second comes from who misses Redis. */
static bool disk_is_full(struct redis_server *s)
{
    bool full = redis_home_is_full(&s->home), was_full = s->trouble[0] != '\0';
    char quoted[512];

    if (full && !was_full) {
        snprintf(s->trouble, sizeof s->trouble, "the disk is full: make room for %.300s", s->home.dir);
        LOG_ERROR("redis_disk_full", "dir=%s do=\"make room; Redis starts by itself then\"",
                  log_quote(s->home.dir, quoted, sizeof quoted));
    }
    if (!full)
        s->trouble[0] = '\0';
    return full;
}

static void restart(struct redis_server *s)
{
    if (disk_is_full(s))
        timer_start(&s->timer, ROOM_LOOK_MS);
    else if (spawn(s) == MH_OK)
        move(s, RUNNING);
    else
        back_off(s);
}

/* ---- Its end ---------------------------------------------------------------------- */

static void server_free(struct redis_server *s)
{
    if (s->lock >= 0)
        close(s->lock);
    redis_home_close(&s->home);
    free(s->program);
    free(s->url);
    free(s);
}

static void timer_closed(struct timer *timer)
{
    struct redis_server *s = container_of(timer, struct redis_server, timer);
    void (*stopped)(void *) = s->stopped;
    void *arg = s->stopped_arg;

    server_free(s);
    stopped(arg);
}

static void end_probe(struct redis_server *s)
{
    if (s->probe != NULL)
        redis_close(s->probe);
    s->probe = NULL;
}

static void on_exited(void *arg, int wait_status)
{
    struct redis_server *s = arg;
    char status[CHILD_STATUS_BYTES], line[600];
    int  pid = child_pid(s->child);

    s->child = NULL;
    end_probe(s);
    child_status_text(wait_status, status);
    if (s->state == STOPPING) {
        LOG_INFO("redis_server_stopped", "pid=%d status=\"%s\"", pid, status);
        timer_close(&s->timer, timer_closed);
        return;
    }
    LOG_WARN("redis_server_ended", "pid=%d status=\"%s\" last_line=%s", pid, status,
             redis_home_last_line(&s->home, line, sizeof line));
    back_off(s);
}

static void end_child(struct redis_server *s, unsigned state, int64_t patience_ms)
{
    end_probe(s);
    move(s, state);
    child_signal(s->child, SIGTERM);
    child_signal(s->child, SIGCONT);        /* a stopped process takes no SIGTERM */
    timer_start(&s->timer, patience_ms);
}

static void on_timer(struct timer *timer)
{
    struct redis_server *s = container_of(timer, struct redis_server, timer);

    if (s->state == BACKOFF)
        restart(s);
    else if (s->state == PROBING) {
        LOG_WARN("redis_server_hangs", "pid=%d action=end", child_pid(s->child));
        end_child(s, ENDING, END_MS);
    } else if (s->state == STOPPING && s->child == NULL)
        timer_close(&s->timer, timer_closed);
    else {
        LOG_WARN("redis_server_killed", "pid=%d why=\"did not end in time\"",
                 child_pid(s->child));
        child_signal(s->child, SIGKILL);
    }
}

/* ---- One that is left over ---------------------------------------------------------- */

static void on_probe(void *arg, bool up, const char *why)
{
    struct redis_server *s = arg;

    (void)why;
    if (!up)
        return;
    LOG_INFO("redis_server_adopted", "pid=%d", child_pid(s->child));
    timer_stop(&s->timer);
    move(s, RUNNING);
    end_probe(s);
}

/* False: there is none, or it is gone by now. */
static bool adopt(struct redis_server *s)
{
    int pid = redis_home_find_server(&s->home, s->program);

    s->started_ms = clock_mono_ms();
    return pid != 0 && child_adopt(s->loop, pid, on_exited, s, &s->child) == MH_OK;
}

static void examine(struct redis_server *s, bool configured_otherwise)
{
    struct redis_spec spec = { .url = s->url, .state = on_probe, .arg = s };

    s->state = PROBING;
    timer_start(&s->timer, PROBE_MS);
    if (configured_otherwise) {
        LOG_INFO("redis_server_left_over", "pid=%d action=\"start anew: settings changed\"",
                 child_pid(s->child));
        end_child(s, ENDING, STOP_MS);
    } else if (redis_open(s->loop, &spec, &s->probe) != MH_OK)
        s->probe = NULL;                    /* patience then ends it */
}

/* ---- Interface ------------------------------------------------------------------------ */

/* The server's working directory is not ours, so a relative path would mislead. */
static char *resolve_program(const char *program)
{
    char *path = strchr(program, '/') != NULL ? realpath(program, NULL) : NULL;
    return path != NULL ? path : mem_strdup(program);
}

/* Everything that needs no loop. */
static enum mh_err prepare(struct redis_server *s, const struct redis_server_spec *spec,
                           bool *changed)
{
    s->lock = -1;
    s->program = resolve_program(spec->program);
    enum mh_err err = data_lock(spec->data_dir, &s->lock);
    if (err == MH_OK)
        err = redis_home_open(spec->data_dir, &s->home);
    if (err == MH_OK)
        err = redis_home_configure(&s->home, spec->fsync, spec->max_memory_bytes, changed);
    if (err == MH_OK)
        s->url = mem_printf("unix:%s", s->home.socket);
    return err;
}

enum mh_err redis_server_start(uv_loop_t *loop, const struct redis_server_spec *spec,
                               struct redis_server **out)
{
    struct redis_server *s = mem_alloc(sizeof *s);
    bool                 changed = false;
    enum mh_err          err = prepare(s, spec, &changed);

    s->loop = loop;
    s->state = RUNNING;
    bool left_over = err == MH_OK && adopt(s);
    if (err == MH_OK && !left_over)
        err = spawn(s);
    if (err != MH_OK) {
        server_free(s);
        return err;
    }
    timer_init(&s->timer, loop, on_timer);
    if (left_over)
        examine(s, changed);
    *out = s;
    return MH_OK;
}

const char *redis_server_url(const struct redis_server *s) { return s->url; }

const char *redis_server_trouble(const struct redis_server *s) { return s->trouble; }

int redis_server_pid(const struct redis_server *s)
{
    return s->child != NULL ? child_pid(s->child) : 0;
}

void redis_server_stop(struct redis_server *s, void (*stopped)(void *arg), void *arg)
{
    s->stopped = stopped;
    s->stopped_arg = arg;
    if (s->child != NULL) {
        end_child(s, STOPPING, STOP_MS);
        return;
    }
    move(s, STOPPING);
    timer_start(&s->timer, 0);
}
