/* sandbox.c - the life of one sandbox process: started, loaded with its plugin, stopped or
 * killed, gone. See sandbox.h. */
#include "core/sandbox_internal.h"

#include "base/clock.h"
#include "core/jail.h"
#include "core/sandbox_load.h"
#include "io/child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLOSED_GRACE_MS = 1000 };

/* ---- Its end ------------------------------------------------------------------------- */

static void on_closed(struct timer *t) { free(container_of(t, struct sandbox, deadline)); }

static void destroy(struct sandbox *s)
{
    if (s->channel != NULL)
        channel_close(s->channel);
    timer_close(&s->deadline, on_closed);
}

void sandbox_kill(struct sandbox *s, enum mh_err why, const char *detail)
{
    if (s->ending)
        return;
    s->ending = true;
    s->why = why;
    if (detail != s->detail)
        snprintf(s->detail, sizeof s->detail, "%s", detail);
    timer_stop(&s->deadline);
    child_signal(s->child, SIGKILL);
}

/* A process that ends closes its socket first, so it gets a moment to be gone. */
static void channel_ended(void *arg, enum mh_err why)
{
    struct sandbox *s = arg;

    s->closed = true;
    if (why == MH_PROTOCOL)
        sandbox_kill(s, MH_PROTOCOL, "bytes that are no frame");
    else if (!s->ending)
        timer_start(&s->deadline, CLOSED_GRACE_MS);
}

void sandbox_finish(struct sandbox *s)
{
    s->finishing = true;
    if (s->call_count == 0)
        sandbox_kill(s, MH_OK, "finished");
}

static void describe_end(struct sandbox *s, int status)
{
    if (s->why != MH_OK || s->finishing)
        return;
    s->why = MH_CRASHED;
    int layer = WIFEXITED(status) ? WEXITSTATUS(status) - LAYER_EXIT_STATUS : -1;
    if (!s->loaded && layer >= 0 && layer < LAYER_COUNT) {
        s->why = MH_JAIL;
        jail_lacks(1u << layer, s->detail);
    } else if (WIFSIGNALED(status))
        snprintf(s->detail, sizeof s->detail, "the process was ended by signal %d (%s)",
                 WTERMSIG(status), WTERMSIG(status) == SIGSYS ? "a forbidden system call"
                                                               : strsignal(WTERMSIG(status)));
    else
        snprintf(s->detail, sizeof s->detail, "the process ended with status %d",
                 WEXITSTATUS(status));
}

static void on_exited(void *arg, int status)
{
    struct sandbox *s = arg;

    s->child = NULL;
    s->ending = true;
    describe_end(s, status);
    sandbox_end_calls(s);
    if (!s->stopped)
        s->spec.ops->ended(s->spec.arg, s->why, s->detail);
    destroy(s);
}

void sandbox_stop(struct sandbox *s)
{
    s->ending = s->stopped = true;
    s->why = MH_CANCELLED;
    sandbox_end_calls(s);
    if (s->child == NULL)                   /* inside on_exited(), which destroys it */
        return;
    child_abandon(s->child);
    destroy(s);
}

/* ---- Its start ----------------------------------------------------------------------- */

static enum mh_err spawn(struct sandbox *s, int child_fd)
{
    char memory[32];

    snprintf(memory, sizeof memory, "%lld", (long long)s->spec.limits.memory_bytes);
    const char *const  argv[] = { s->spec.program, memory, s->spec.jit ? "jit" : "nojit", NULL };
    const char *const  env[] = { NULL };
    struct child_spec child = { .argv = argv, .env = env, .fd3 = child_fd, .only_fd3 = true,
                                .own_group = true };
    return child_start(s->spec.loop, &child, on_exited, s, &s->child);
}

enum mh_err sandbox_start(const struct sandbox_spec *spec, struct sandbox **out)
{
    static const struct channel_ops channel_ops = { sandbox_received, channel_ended };
    struct sandbox *s = mem_alloc(sizeof *s);
    int             child_fd = -1;

    s->spec = *spec;
    snprintf(s->plugin, sizeof s->plugin, "%s", spec->plugin);
    s->spec.plugin = s->plugin;
    list_init(&s->calls);
    list_init(&s->turns);
    s->started_us = clock_mono_us();
    timer_init(&s->deadline, spec->loop, sandbox_on_deadline);
    enum mh_err err = channel_open(spec->loop, &channel_ops, s, &s->channel, &child_fd);
    if (err == MH_OK)
        err = spawn(s, child_fd);
    if (child_fd >= 0)
        close(child_fd);
    if (err == MH_OK)
        err = sandbox_send_plugin(s->channel, spec);
    s->spec.files = s->spec.config = NULL;
    if (err != MH_OK) {
        if (s->child != NULL)
            child_abandon(s->child);
        destroy(s);
        return err;
    }
    timer_start(&s->deadline, spec->limits.timeout_ms);
    *out = s;
    return MH_OK;
}

size_t sandbox_calls(const struct sandbox *s) { return s->call_count; }
unsigned sandbox_layers(const struct sandbox *s) { return s->layers; }
int    sandbox_pid(const struct sandbox *s) { return s->child ? child_pid(s->child) : 0; }

double sandbox_start_ms(const struct sandbox *s)
{
    return (double)(s->loaded_us - s->started_us) / 1000.0;
}
