/* sandbox.c - see sandbox.h. */
#include "core/sandbox.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/delivery.h"
#include "proto/message.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_LOGS_PER_CALL = 64, LOG_BYTES = 2048, LOGS_BYTES = 16 * 1024,
       RESULT_BYTES = 256 * 1024, DETAIL_BYTES = 512 };

struct sandbox {
    struct sandbox_spec spec;
    char            plugin[MH_ID_BYTES];
    struct child   *child;
    struct channel *channel;
    struct timer    deadline;
    struct list     calls, turns;
    size_t          call_count;
    uint32_t        next_id;
    int64_t         head_since_us, started_us, loaded_us;
    bool            loaded, finishing;
    bool            ending;                 /* killed, or gone */
    bool            stopped;                /* by its owner, who hears no more of it */
    enum mh_err     why;                    /* MH_OK until something is wrong */
    char            detail[DETAIL_BYTES];
};

static void kill_for(struct sandbox *s, enum mh_err why, const char *detail);

/* ---- Ending calls ------------------------------------------------------------------ */

/* Takes r->facts; the call's log lines are added to them. */
static void end_call(struct sandbox *s, struct hook_call *call, struct hook_result *r)
{
    if (call->request != NULL)
        s->spec.ops->abort(s->spec.arg, call);
    list_unlink(&call->node);
    list_unlink(&call->turn);
    s->call_count--;
    if (call->logs != NULL) {
        char *logs = delivery_facts(json_pack("{s:o}", "logs", call->logs));
        char *facts = mem_printf("%s%s%s", r->facts ? r->facts : "", r->facts ? "," : "",
                                 logs ? logs : "\"logs\":[]");
        free(logs);
        free(r->facts);
        r->facts = facts;
        call->logs = NULL;
    }
    call->done(call, r);
    if (s->finishing && s->call_count == 0)
        kill_for(s, MH_OK, "finished");
}

static char *error_facts(enum mh_err err, const char *message, const char *trace)
{
    json_t *error = json_pack("{s:s, s:o}", "code", err_code(err), "message",
                              delivery_text(message, strlen(message)));
    if (trace != NULL && trace[0] != '\0')
        json_put(error, "trace", delivery_text(trace, strlen(trace)));
    return delivery_facts(json_pack("{s:o}", "error", error));
}

static void fail_call(struct sandbox *s, struct hook_call *call, enum mh_err err,
                      const char *message)
{
    struct hook_result r = { .err = err, .retry_after_ms = -1, .message = message,
                             .facts = error_facts(err, message, NULL) };
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
        fail_call(s, head, s->why == MH_OK ? MH_CRASHED : s->why, s->detail);
    while (!list_empty(&s->calls)) {
        struct hook_result r = { .err = MH_CANCELLED, .uncharged = true, .retry_after_ms = -1 };
        end_call(s, container_of(s->calls.next, struct hook_call, node), &r);
    }
}

/* ---- Turns and their time ------------------------------------------------------------- */

static void watch_head(struct sandbox *s)
{
    struct hook_call *head = head_of(s);

    if (head == NULL || uv_is_active((uv_handle_t *)&s->deadline.handle))
        return;
    int64_t left_us = head->left_us - (clock_mono_us() - s->head_since_us);
    timer_start(&s->deadline, left_us > 0 ? left_us / 1000 + 1 : 0);
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
    int64_t now_us = clock_mono_us();

    call->left_us -= now_us - s->head_since_us;
    s->head_since_us = now_us;
    list_unlink(&call->turn);
}

static void on_deadline(struct timer *t)
{
    struct sandbox   *s = container_of(t, struct sandbox, deadline);
    struct hook_call *head = head_of(s);
    char              detail[DETAIL_BYTES];

    if (!s->loaded) {
        kill_for(s, MH_TIMEOUT, "loading the plugin took longer than its timeout");
        return;
    }
    if (head == NULL)
        return;
    if (clock_mono_us() - s->head_since_us < head->left_us) {
        watch_head(s);
        return;
    }
    snprintf(detail, sizeof detail, "%s ran longer than %lld ms (limits.timeout_ms) and was killed",
             head->hook, (long long)head->timeout_ms);
    kill_for(s, MH_TIMEOUT, detail);
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

static json_t *parse_head(const struct frame *f)
{
    struct json_fault fault;
    json_t           *head = NULL;

    if (json_parse(f->head, f->head_bytes, &head, &fault) != MH_OK)
        return NULL;
    if (!json_is_object(head)) {
        json_decref(head);
        return NULL;
    }
    return head;
}

static void read_retry(const json_t *head, struct hook_result *r)
{
    const json_t *retry = json_object_get(head, "retry");
    const json_t *after = json_object_get(retry, "after_s");

    r->never = json_bool_of(retry, "never", false);
    if (json_is_number(after) && json_number_value(after) >= 0 && json_number_value(after) < 1e9)
        r->retry_after_ms = (int64_t)(json_number_value(after) * 1000);
}

/* The result is held against the grammar, then kept as the text that it is. */
static enum mh_err read_value(const struct frame *f, struct hook_result *r, struct json_fault *fault)
{
    json_t *value = NULL;

    snprintf(fault->text, sizeof fault->text, "is larger than %d KiB", RESULT_BYTES / 1024);
    if (f->body_bytes > RESULT_BYTES)
        return MH_RESULT;
    if (f->body_bytes > 0 && json_parse(f->body, f->body_bytes, &value, fault) != MH_OK)
        return MH_RESULT;
    json_decref(value);
    r->facts = f->body_bytes > 0 ? mem_printf("\"result\":%.*s", (int)f->body_bytes, f->body)
                                 : mem_strdup("\"result\":null");
    return MH_OK;
}

static void read_error(json_t *head, struct hook_result *r)
{
    r->err = err_from_code(json_text_of(head, "code", "plugin_error"));
    if (r->err == MH_OK || r->err == MH_INTERNAL)
        r->err = MH_PLUGIN;
    read_retry(head, r);
    r->message = json_text_of(head, "message", "");
    r->facts = error_facts(r->err, r->message, json_text_of(head, "trace", ""));
}

static void on_result(struct sandbox *s, const struct frame *f, json_t *head)
{
    struct hook_call  *call = call_of(s, f->id);
    struct hook_result r = { .err = MH_OK, .retry_after_ms = -1 };
    struct json_fault  fault = { .text = "" };
    char               detail[DETAIL_BYTES];

    if (call == NULL || call != head_of(s)) {
        kill_for(s, MH_PROTOCOL, "a result came for a hook that is not running");
        return;
    }
    end_turn(s, call);
    if (!json_bool_of(head, "ok", false)) {
        read_error(head, &r);
        end_call(s, call, &r);
    } else if (read_value(f, &r, &fault) != MH_OK) {
        snprintf(detail, sizeof detail, "the result %s", fault.text);
        fail_call(s, call, MH_RESULT, detail);
    } else {
        end_call(s, call, &r);
    }
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
    s->spec.ops->request(s->spec.arg, call, f);
}

/* A call's record keeps its first lines. */
static void keep_log(struct hook_call *call, const char *level, json_t *text, size_t bytes)
{
    call->log_bytes += bytes;
    if (call->logs == NULL)
        call->logs = json_array();
    if (call->log_bytes <= LOGS_BYTES && json_array_size(call->logs) < MAX_LOGS_PER_CALL)
        json_array_append_new(call->logs,
                              json_pack("{s:s, s:O}", "level", level, "message", text));
}

static void on_log(struct sandbox *s, const struct frame *f, json_t *head)
{
    struct hook_call *call = call_of(s, (uint32_t)json_int_of(head, "call", 0));
    const char       *level = json_text_of(head, "level", "info");
    size_t            bytes = f->body_bytes < LOG_BYTES ? f->body_bytes : LOG_BYTES;
    json_t           *text = delivery_text(f->body, bytes);

    if (call != NULL)
        keep_log(call, level, text, bytes);
    s->spec.ops->logged(s->spec.arg, call, level, json_string_value(text));
    json_decref(text);
}

static void on_loaded(struct sandbox *s, const struct frame *f, json_t *head)
{
    (void)f;
    if (s->loaded) {
        kill_for(s, MH_PROTOCOL, "LOADED came twice");
        return;
    }
    s->loaded = true;
    s->loaded_us = clock_mono_us();
    timer_stop(&s->deadline);
    s->spec.ops->loaded(s->spec.arg, head);
}

static void on_failed(struct sandbox *s, const struct frame *f, json_t *head)
{
    (void)f;
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
    json_t         *head = parse_head(f);

    if (s->ending) {
        json_decref(head);
        return;
    }
    for (size_t i = 0; head != NULL && i < ARRAY_LEN(table); i++)
        if (table[i].type == f->type) {
            table[i].take(s, f, head);
            json_decref(head);
            return;
        }
    json_decref(head);
    kill_for(s, MH_PROTOCOL, "a message that the sandbox may not send");
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

static void channel_ended(void *arg, enum mh_err why)
{
    if (why == MH_PROTOCOL)
        kill_for(arg, MH_PROTOCOL, "bytes that are no frame");
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
    if (WIFSIGNALED(status))
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

static enum mh_err send_text(struct sandbox *s, enum msg_type type, const json_t *head,
                             const char *body, size_t bytes)
{
    size_t      head_bytes = 0;
    char       *text = json_text(head, &head_bytes);
    enum mh_err err = text ? channel_send(s->channel, &(struct frame){ .type = (uint8_t)type,
                                 .head = text, .head_bytes = head_bytes, .body = body,
                                 .body_bytes = bytes }) : MH_NOMEM;
    free(text);
    return err;
}

static enum mh_err send_files(struct sandbox *s, const json_t *files)
{
    const char *name;
    json_t     *source;
    enum mh_err err = MH_OK;

    json_object_foreach((json_t *)files, name, source) {
        json_t *head = json_pack("{s:s}", "name", name);
        if (err == MH_OK)
            err = send_text(s, MSG_FILE, head, json_string_value(source), json_string_length(source));
        json_decref(head);
    }
    return err;
}

static enum mh_err send_load(struct sandbox *s)
{
    const struct sandbox_spec *spec = &s->spec;
    json_t *head = json_pack("{s:s, s:O, s:{s:I, s:I, s:i, s:i}, s:b, s:s}", "name", spec->plugin,
                             "config", spec->config, "limits",
                             "timeout_ms", (json_int_t)spec->timeout_ms,
                             "memory_bytes", (json_int_t)spec->memory_bytes,
                             "result_bytes", RESULT_BYTES, "log_lines", MAX_LOGS_PER_CALL,
                             "jit", (int)spec->jit, "mode", spec->manifest_only ? "manifest" : "serve");
    enum mh_err err = head ? send_text(s, MSG_LOAD, head, NULL, 0) : MH_NOMEM;

    json_decref(head);
    return err;
}

static enum mh_err spawn(struct sandbox *s, int child_fd)
{
    char memory[32];

    snprintf(memory, sizeof memory, "%lld", (long long)s->spec.memory_bytes);
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
        err = send_files(s, spec->files);
    if (err == MH_OK)
        err = send_load(s);
    s->spec.files = s->spec.config = NULL;
    if (err != MH_OK) {
        if (s->child != NULL)
            child_abandon(s->child);
        destroy(s);
        return err;
    }
    timer_start(&s->deadline, spec->timeout_ms);
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
    call->id = ++s->next_id ? s->next_id : ++s->next_id;
    call->left_us = call->timeout_ms * 1000;
    call->logs = NULL;
    call->log_bytes = 0;
    call->request = NULL;
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
             call->hook, (long long)call->timeout_ms);
    enum mh_err err = channel_send(s->channel, &(struct frame){ .id = call->id, .type = MSG_CANCEL,
                                                                .head = "{}", .head_bytes = 2 });
    fail_call(s, call, MH_TIMEOUT, detail);
    if (err != MH_OK)
        kill_for(s, MH_PROTOCOL, "the sandbox does not read what it is sent");
}

void sandbox_reply(struct sandbox *s, struct hook_call *call, const char *head,
                   const void *body, size_t body_bytes)
{
    call->request = NULL;
    if (call->left_us <= 0) {
        cancel_call(s, call);
        return;
    }
    enum mh_err err = channel_send(s->channel, &(struct frame){
        .id = call->request_id, .type = MSG_REPLY, .head = head, .head_bytes = strlen(head), .body = body,
        .body_bytes = body_bytes });
    if (err == MH_OK)
        begin_turn(s, call);
    else
        kill_for(s, MH_PROTOCOL, "the sandbox does not read what it is sent");
}
