/* sandbox.c - see sandbox.h. */
#include "core/sandbox.h"

#include "base/bucket.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/delivery.h"
#include "core/hook_story.h"
#include "core/jail.h"
#include "core/sandbox_frame.h"
#include "core/sandbox_load.h"
#include "proto/message.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DETAIL_BYTES = 512, CLOSED_GRACE_MS = 1000,
       CALLS_QUEUED_BYTES = 8 * 1024 * 1024,        /* not taken yet: past it calls wait, */
       ANSWERS_QUEUED_BYTES = 16 * 1024 * 1024,     /* and replies lose their bodies */
       GRACE_US = 20000 };                  /* past its time, for the hook to end with a traceback */

struct sandbox {
    struct sandbox_spec spec;
    char            plugin[MH_ID_BYTES];
    struct child   *child;
    struct channel *channel;
    struct timer    deadline;
    struct list     calls, turns;
    size_t          call_count;
    unsigned        layers, stray_logs;     /* stray: of no call */
    uint32_t        next_id;
    int64_t         head_since_us, started_us, loaded_us;
    int64_t         cpu_us;                 /* of the process, when the last turn ended */
    struct bucket   log_lines, log_bytes;
    bool            loaded, finishing;
    bool            closed;                 /* its end of the socket */
    bool            ending;                 /* killed, or gone */
    bool            stopped;                /* by its owner, who hears no more of it */
    enum mh_err     why;                    /* MH_OK until something is wrong */
    char            detail[DETAIL_BYTES];
};

static void kill_for(struct sandbox *s, enum mh_err why, const char *detail);

/* ---- Ending calls ------------------------------------------------------------------ */

/* Takes r->facts; what else the call's story has is added to them. */
static void end_call(struct sandbox *s, struct hook_call *call, struct hook_result *r)
{
    if (call->request != NULL)
        s->spec.ops->abort(s->spec.arg, call);
    list_unlink(&call->node);
    list_unlink(&call->turn);
    s->call_count--;
    hook_add_story(call, r);
    call->done(call, r);
    if (s->finishing && s->call_count == 0)
        kill_for(s, MH_OK, "finished");
}

void sandbox_breach(struct sandbox *s, struct hook_call *call, enum limit which)
{
    static struct log_limit limit;

    if (call != NULL && (call->breached >> which & 1))
        return;
    if (call != NULL)
        call->breached |= 1u << which;
    s->spec.ops->breached(s->spec.arg, which);
    if (log_allowed(&limit))
        LOG_WARN("limit_reached", "plugin=%s hook=%s event=%s limit=%s", s->plugin,
                 call ? call->hook : "", call ? hook_event_id(call) : "", limit_name(which));
}

static char *error_facts(struct sandbox *s, struct hook_call *call, const struct hook_failure *f)
{
    if (f->limit != LIMIT_NONE)
        sandbox_breach(s, call, f->limit);
    return hook_error_facts(s->plugin, call, f);
}

static void fail_call(struct sandbox *s, struct hook_call *call, enum mh_err err, enum limit limit,
                      const char *message)
{
    struct hook_failure f = { err, limit, message, NULL, s->ending };
    struct hook_result  r = { .err = err, .retry_after_ms = -1, .message = message,
                              .killed = s->ending, .facts = error_facts(s, call, &f) };
    end_call(s, call, &r);
}

static struct hook_call *head_of(const struct sandbox *s)
{
    return list_empty(&s->turns) ? NULL : container_of(s->turns.next, struct hook_call, turn);
}

/* The head is charged; the others end uncharged. */
static void end_all(struct sandbox *s)
{
    struct hook_call *head = head_of(s);

    if (head != NULL && s->why != MH_CANCELLED)
        fail_call(s, head, s->why == MH_OK ? MH_CRASHED : s->why, hook_limit_of(s->why), s->detail);
    while (!list_empty(&s->calls)) {
        struct hook_result r = { .err = MH_CANCELLED, .uncharged = true, .retry_after_ms = -1 };
        end_call(s, container_of(s->calls.next, struct hook_call, node), &r);
    }
}

/* ---- Turns and their time ------------------------------------------------------------- */

static int64_t cpu_now_us(const struct sandbox *s)
{
    return s->child ? child_cpu_us(s->child) : s->cpu_us;
}

/* The deadline looks again no later than when the head's time or, had it computed all
 * the while, its CPU time is over. */
static void watch_head(struct sandbox *s)
{
    struct hook_call *head = head_of(s);

    if (head == NULL)
        return;
    int64_t left_us = head->left_us < head->cpu_left_us ? head->left_us : head->cpu_left_us;
    left_us += GRACE_US - (clock_mono_us() - s->head_since_us);
    timer_hasten(&s->deadline, left_us > 0 ? left_us / 1000 + 1 : 1);
}

static void begin_turn(struct sandbox *s, struct hook_call *call)
{
    if (list_empty(&s->turns))
        s->head_since_us = clock_mono_us();
    list_push_back(&s->turns, &call->turn);
    watch_head(s);
}

/* The answer to the head's turn came. */
static void end_turn(struct sandbox *s, struct hook_call *call)
{
    int64_t now_us = clock_mono_us(), cpu_us = cpu_now_us(s);

    call->left_us -= now_us - s->head_since_us;
    call->cpu_left_us -= cpu_us - s->cpu_us;
    s->head_since_us = now_us;
    s->cpu_us = cpu_us;
    list_unlink(&call->turn);
    watch_head(s);
}

static void kill_for_limit(struct sandbox *s, const struct hook_call *head, enum mh_err why,
                           const char *did, int64_t most_ms)
{
    char detail[DETAIL_BYTES];

    snprintf(detail, sizeof detail, "plugin %s: %s%s%s %s %lld ms (limits.%s) and was killed", s->plugin,
             head->hook, head->event ? " of event " : "", hook_event_id(head), did, (long long)most_ms,
             limit_name(hook_limit_of(why)));
    kill_for(s, why, detail);
}

/* It waited for the CPU, or was not given it: what it has used says how long it may go on. */
static void look_again(struct sandbox *s, const struct hook_call *head, int64_t used_us)
{
    int64_t left_us = head->left_us - (clock_mono_us() - s->head_since_us);
    int64_t cpu_left_us = head->cpu_left_us - used_us;

    timer_start(&s->deadline, ((left_us < cpu_left_us ? left_us : cpu_left_us) + GRACE_US) / 1000 + 1);
}

static void on_deadline(struct timer *t)
{
    struct sandbox   *s = container_of(t, struct sandbox, deadline);
    struct hook_call *head = head_of(s);

    if (s->closed) {
        kill_for(s, MH_PROTOCOL, "the sandbox closed its socket and lived on");
        return;
    }
    if (!s->loaded) {
        kill_for(s, MH_TIMEOUT, "loading the plugin took longer than its timeout");
        return;
    }
    if (head == NULL)
        return;
    int64_t used_us = cpu_now_us(s) - s->cpu_us;
    if (clock_mono_us() - s->head_since_us >= head->left_us + GRACE_US)
        kill_for_limit(s, head, MH_TIMEOUT, "ran longer than", s->spec.limits.timeout_ms);
    else if (used_us >= head->cpu_left_us + GRACE_US)
        kill_for_limit(s, head, MH_CPU, "computed for longer than", s->spec.limits.cpu_ms);
    else
        look_again(s, head, used_us);
}

/* ---- What the sandbox says ------------------------------------------------------------------ */

static struct hook_call *call_of(struct sandbox *s, uint32_t id)
{
    list_for_each(node, after, &s->calls) {
        struct hook_call *call = container_of(node, struct hook_call, node);
        if (call->id == id)
            return call;
    }
    return NULL;
}

/* What the process says of its own limits is believed: it can harm nobody but itself. */
static void read_error(struct sandbox *s, struct hook_call *call, json_t *head,
                       struct hook_result *r)
{
    r->err = err_from_code(json_text_of(head, "code", "plugin_error"));
    if (r->err == MH_OK || r->err == MH_INTERNAL)
        r->err = MH_PLUGIN;
    sandbox_frame_retry(head, r);
    r->message = json_text_of(head, "message", "");
    enum limit limit = json_bool_of(head, "too_large", false) ? LIMIT_RESULT
                     : r->err == MH_LIMIT ? hook_limit_refused(call) : hook_limit_of(r->err);
    struct hook_failure f = { r->err, limit, r->message, json_text_of(head, "trace", ""), false };
    r->facts = error_facts(s, call, &f);
}

static void take_value(struct sandbox *s, struct hook_call *call, const struct frame *f)
{
    struct hook_result r = { .err = MH_OK, .retry_after_ms = -1 };
    struct json_fault  fault = { .text = "" };
    char               detail[DETAIL_BYTES];

    if ((int64_t)f->body_bytes > s->spec.limits.result_bytes) {
        snprintf(detail, sizeof detail, "the result is larger than %lld KiB (limits.result_kb)",
                 (long long)s->spec.limits.result_bytes / 1024);
        fail_call(s, call, MH_RESULT, LIMIT_RESULT, detail);
    } else if (sandbox_frame_value(f, &r, &fault) != MH_OK) {
        snprintf(detail, sizeof detail, "the result %s", fault.text);
        fail_call(s, call, MH_RESULT, LIMIT_NONE, detail);
    } else {
        end_call(s, call, &r);
    }
}

static void on_result(struct sandbox *s, const struct frame *f, json_t *head)
{
    struct hook_call  *call = call_of(s, f->id);
    struct hook_result r = { .retry_after_ms = -1 };

    if (call == NULL || call != head_of(s)) {
        kill_for(s, MH_PROTOCOL, "a result came for a hook that is not running");
        return;
    }
    end_turn(s, call);
    if (json_bool_of(head, "ok", false)) {
        take_value(s, call, f);
        return;
    }
    read_error(s, call, head, &r);
    end_call(s, call, &r);
    if (json_bool_of(head, "spent", false))             /* what waits is tried again, uncharged */
        kill_for(s, MH_CANCELLED, "its memory is full and stays so; a new process begins");
}

static void on_request(struct sandbox *s, const struct frame *f, json_t *head)
{
    struct hook_call *call = call_of(s, (uint32_t)json_int_of(head, "call", 0));

    if (call == NULL || call != head_of(s)) {
        kill_for(s, MH_PROTOCOL, "a request came from a hook that is not running");
        return;
    }
    end_turn(s, call);
    call->request_id = f->id;
    call->request = call;                   /* until the broker puts its own there */
    s->spec.ops->request(s->spec.arg, call, f, head);
}

/* A line past the plugin's rate is left out. */
static bool may_log(struct sandbox *s, struct hook_call *call, size_t bytes)
{
    const struct limits *l = &s->spec.limits;
    int64_t              now_us = clock_mono_us();

    if (!bucket_take(&s->log_lines, (double)l->log_lines, 1, now_us))
        sandbox_breach(s, call, LIMIT_LOG_LINES);
    else if (!bucket_take(&s->log_bytes, (double)l->log_bytes, (double)bytes, now_us))
        sandbox_breach(s, call, LIMIT_LOG_BYTES);
    else
        return true;
    return false;
}

static void on_log(struct sandbox *s, const struct frame *f, json_t *head)
{
    int64_t           id = json_int_of(head, "call", 0);
    struct hook_call *call = id != 0 ? call_of(s, (uint32_t)id) : NULL;
    const char       *level = sandbox_frame_level(head);

    if (level == NULL || (id != 0 && (call == NULL || call != head_of(s)))) {
        kill_for(s, MH_PROTOCOL, "a log line came for a hook that is not running");
        return;
    }
    if ((*(call ? &call->log_lines : &s->stray_logs))++ > SANDBOX_LOGS_PER_CALL) {
        kill_for(s, MH_PROTOCOL, "more log lines came than a sandbox lets through");
        return;
    }
    if (!may_log(s, call, f->body_bytes))
        return;
    json_t *text = delivery_text(f->body, f->body_bytes);
    if (call != NULL)
        hook_keep_log(call, level, text, f->body_bytes);
    s->spec.ops->logged(s->spec.arg, call, level, json_string_value(text));
    json_decref(text);
}

static void on_loaded(struct sandbox *s, const struct frame *f, json_t *head)
{
    char lacks[JAIL_TEXT_BYTES];

    (void)f;
    if (s->loaded) {
        kill_for(s, MH_PROTOCOL, "LOADED came twice");
        return;
    }
    s->layers = jail_layers_of(s->child, head);
    unsigned missing = (s->spec.required_layers | layers_must()) & ~s->layers;
    if (missing != 0) {
        kill_for(s, MH_JAIL, jail_lacks(missing, lacks));
        return;
    }
    s->loaded = true;
    s->loaded_us = clock_mono_us();
    s->cpu_us = cpu_now_us(s);              /* loading is charged to no hook */
    timer_stop(&s->deadline);
    s->spec.ops->loaded(s->spec.arg, head);
}

static void on_failed(struct sandbox *s, const struct frame *f, json_t *head)
{
    (void)f;
    if (s->loaded) {
        kill_for(s, MH_PROTOCOL, "FAILED came after LOADED");
        return;
    }
    s->why = MH_PLUGIN;
    snprintf(s->detail, sizeof s->detail, "%s", json_text_of(head, "message", "the plugin did not load"));
    s->spec.ops->failed(s->spec.arg, s->detail);
    kill_for(s, MH_PLUGIN, s->detail);      /* it waits for that, so that FAILED is not lost */
}

static void received(void *arg, const struct frame *f)
{
    static const struct {
        enum msg_type type;
        void (*take)(struct sandbox *, const struct frame *, json_t *head);
    } table[] = {
        { MSG_RESULT, on_result }, { MSG_REQUEST, on_request }, { MSG_LOG, on_log },
        { MSG_LOADED, on_loaded }, { MSG_FAILED, on_failed },
    };
    struct sandbox *s = arg;
    json_t         *head = NULL;
    const char     *why = NULL;

    if (s->ending)
        return;
    if (sandbox_frame_read(f, &head, &why) != MH_OK) {
        kill_for(s, MH_PROTOCOL, why);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].type == f->type)
            table[i].take(s, f, head);
    json_decref(head);
}

/* ---- Life ------------------------------------------------------------------------------------- */

static void on_closed(struct timer *t) { free(container_of(t, struct sandbox, deadline)); }

static void destroy(struct sandbox *s)
{
    if (s->channel != NULL)
        channel_close(s->channel);
    timer_close(&s->deadline, on_closed);
}

static void kill_for(struct sandbox *s, enum mh_err why, const char *detail)
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
        kill_for(s, MH_PROTOCOL, "bytes that are no frame");
    else if (!s->ending)
        timer_start(&s->deadline, CLOSED_GRACE_MS);
}

void sandbox_finish(struct sandbox *s)
{
    s->finishing = true;
    if (s->call_count == 0)
        kill_for(s, MH_OK, "finished");
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
    end_all(s);
    if (!s->stopped)
        s->spec.ops->ended(s->spec.arg, s->why, s->detail);
    destroy(s);
}

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
    static const struct channel_ops channel_ops = { received, channel_ended };
    struct sandbox *s = mem_alloc(sizeof *s);
    int             child_fd = -1;

    s->spec = *spec;
    snprintf(s->plugin, sizeof s->plugin, "%s", spec->plugin);
    s->spec.plugin = s->plugin;
    list_init(&s->calls);
    list_init(&s->turns);
    s->started_us = clock_mono_us();
    timer_init(&s->deadline, spec->loop, on_deadline);
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

void sandbox_stop(struct sandbox *s)
{
    s->ending = s->stopped = true;
    s->why = MH_CANCELLED;
    end_all(s);
    if (s->child == NULL)                   /* inside on_exited(), which destroys it */
        return;
    child_abandon(s->child);
    destroy(s);
}

/* ---- Calls --------------------------------------------------------------------------------------- */

static enum mh_err send_call(struct sandbox *s, const struct hook_call *call)
{
    char        head[512];
    const char *arg = call->event == NULL ? "none"
                    : strcmp(call->hook, "on_event") == 0 ? "event" : "data";
    int         bytes = snprintf(head, sizeof head,
                                 "{\"hook\":\"%s\",\"attempt\":%u,\"delivery_id\":\"%s\",\"arg\":\"%s\"}",
                                 call->hook, call->attempt, call->delivery_id, arg);
    if (bytes < 0 || (size_t)bytes >= sizeof head)
        return MH_TOO_LARGE;
    return channel_send(s->channel, &(struct frame){
        .id = call->id, .type = MSG_CALL, .head = head, .head_bytes = (size_t)bytes,
        .body = call->event ? call->event->envelope : NULL,
        .body_bytes = call->event ? call->event->envelope_bytes : 0 });
}

enum mh_err sandbox_call(struct sandbox *s, struct hook_call *call)
{
    if (s->ending)
        return MH_CANCELLED;
    if (channel_queued(s->channel) > CALLS_QUEUED_BYTES)
        return MH_BUSY;
    call->id = ++s->next_id ? s->next_id : ++s->next_id;
    call->left_us = s->spec.limits.timeout_ms * 1000;
    call->cpu_left_us = s->spec.limits.cpu_ms * 1000;
    call->logs = NULL;
    call->log_bytes = 0;
    call->breached = 0;
    call->log_lines = 0;
    call->request = NULL;
    call->emitted = 0;
    list_init(&call->node);
    list_init(&call->turn);
    enum mh_err err = send_call(s, call);
    if (err != MH_OK)
        return err;
    list_push_back(&s->calls, &call->node);
    s->call_count++;
    begin_turn(s, call);
    return MH_OK;
}

size_t sandbox_calls(const struct sandbox *s) { return s->call_count; }
unsigned sandbox_layers(const struct sandbox *s) { return s->layers; }
int    sandbox_pid(const struct sandbox *s) { return s->child ? child_pid(s->child) : 0; }

double sandbox_start_ms(const struct sandbox *s)
{
    return (double)(s->loaded_us - s->started_us) / 1000.0;
}

int64_t hook_call_left_ms(const struct hook_call *call)
{
    return call->left_us > 0 ? call->left_us / 1000 : 0;
}

static void cancel_call(struct sandbox *s, struct hook_call *call)
{
    char detail[DETAIL_BYTES];

    snprintf(detail, sizeof detail, "%s waited longer than %lld ms (limits.timeout_ms) for an answer",
             call->hook, (long long)s->spec.limits.timeout_ms);
    enum mh_err err = channel_send(s->channel, &(struct frame){ .id = call->id, .type = MSG_CANCEL,
                                                                .head = "{}", .head_bytes = 2 });
    fail_call(s, call, MH_TIMEOUT, LIMIT_TIMEOUT, detail);
    if (err != MH_OK)
        kill_for(s, MH_PROTOCOL, "the sandbox does not read what it is sent");
}

/* A plugin is slower than the services that it asks: what it has not taken yet is kept for
 * it, but not without end. */
void sandbox_reply(struct sandbox *s, struct hook_call *call, const char *head,
                   const void *body, size_t body_bytes)
{
    static const char full[] = "{\"ok\":false,\"code\":\"busy\",\"message\":\"16 MiB of answers wait "
                               "for the plugin to take them; try again later\"}";

    call->request = NULL;
    if (call->left_us <= 0) {
        cancel_call(s, call);
        return;
    }
    if (body_bytes > 0 && channel_queued(s->channel) + body_bytes > ANSWERS_QUEUED_BYTES) {
        head = full;
        body_bytes = 0;
    }
    enum mh_err err = channel_send(s->channel, &(struct frame){
        .id = call->request_id, .type = MSG_REPLY, .head = head, .head_bytes = strlen(head), .body = body,
        .body_bytes = body_bytes });
    if (err == MH_OK)
        begin_turn(s, call);
    else if (err != MH_IO)                  /* else it is gone, which ends the call */
        kill_for(s, MH_PROTOCOL, "the sandbox does not read what it is sent");
}
