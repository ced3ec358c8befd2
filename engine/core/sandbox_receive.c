/* sandbox_receive.c - what a sandbox says: each frame is held against the state that it comes
 * in, and one that an honest sandbox would not send costs it its process. */
#include "core/sandbox_internal.h"

#include "base/clock.h"
#include "core/delivery.h"
#include "core/hook_story.h"
#include "core/jail.h"
#include "core/sandbox_frame.h"
#include "proto/message.h"

#include <stdio.h>

/* ---- Of a call ---------------------------------------------------------------------- */

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
    r->facts = sandbox_error_facts(s, call, &f);
}

static void take_value(struct sandbox *s, struct hook_call *call, const struct frame *f)
{
    struct hook_result r = { .err = MH_OK, .retry_after_ms = -1 };
    struct json_fault  fault = { .text = "" };
    char               detail[DETAIL_BYTES];

    if ((int64_t)f->body_bytes > s->spec.limits.result_bytes) {
        snprintf(detail, sizeof detail, "the result is larger than %lld KiB (limits.result_kb)",
                 (long long)s->spec.limits.result_bytes / 1024);
        sandbox_fail_call(s, call, MH_RESULT, LIMIT_RESULT, detail);
    } else if (sandbox_frame_value(f, &r, &fault) != MH_OK) {
        snprintf(detail, sizeof detail, "the result %s", fault.text);
        sandbox_fail_call(s, call, MH_RESULT, LIMIT_NONE, detail);
    } else {
        sandbox_end_call(s, call, &r);
    }
}

static void on_result(struct sandbox *s, const struct frame *f, json_t *head)
{
    struct hook_call  *call = call_of(s, f->id);
    struct hook_result r = { .retry_after_ms = -1 };

    if (call == NULL || call != sandbox_head(s)) {
        sandbox_kill(s, MH_PROTOCOL, "a result came for a hook that is not running");
        return;
    }
    sandbox_end_turn(s, call);
    if (json_bool_of(head, "ok", false)) {
        take_value(s, call, f);
        return;
    }
    read_error(s, call, head, &r);
    sandbox_end_call(s, call, &r);
    if (json_bool_of(head, "spent", false))             /* what waits is tried again, uncharged */
        sandbox_kill(s, MH_CANCELLED, "its memory is full and stays so; a new process begins");
}

static void on_request(struct sandbox *s, const struct frame *f, json_t *head)
{
    struct hook_call *call = call_of(s, (uint32_t)json_int_of(head, "call", 0));

    if (call == NULL || call != sandbox_head(s)) {
        sandbox_kill(s, MH_PROTOCOL, "a request came from a hook that is not running");
        return;
    }
    sandbox_end_turn(s, call);
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

    if (level == NULL || (id != 0 && (call == NULL || call != sandbox_head(s)))) {
        sandbox_kill(s, MH_PROTOCOL, "a log line came for a hook that is not running");
        return;
    }
    if ((*(call ? &call->log_lines : &s->stray_logs))++ > SANDBOX_LOGS_PER_CALL) {
        sandbox_kill(s, MH_PROTOCOL, "more log lines came than a sandbox lets through");
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

/* ---- Of the process ------------------------------------------------------------------ */

static void on_loaded(struct sandbox *s, const struct frame *f, json_t *head)
{
    char lacks[JAIL_TEXT_BYTES];

    (void)f;
    if (s->loaded) {
        sandbox_kill(s, MH_PROTOCOL, "LOADED came twice");
        return;
    }
    s->layers = jail_layers_of(s->child, head);
    unsigned missing = (s->spec.required_layers | layers_must()) & ~s->layers;
    if (missing != 0) {
        sandbox_kill(s, MH_JAIL, jail_lacks(missing, lacks));
        return;
    }
    s->loaded = true;
    s->loaded_us = clock_mono_us();
    s->cpu_us = sandbox_cpu_us(s);              /* loading is charged to no hook */
    timer_stop(&s->deadline);
    s->spec.ops->loaded(s->spec.arg, head);
}

static void on_failed(struct sandbox *s, const struct frame *f, json_t *head)
{
    (void)f;
    if (s->loaded) {
        sandbox_kill(s, MH_PROTOCOL, "FAILED came after LOADED");
        return;
    }
    s->why = MH_PLUGIN;
    snprintf(s->detail, sizeof s->detail, "%s", json_text_of(head, "message", "the plugin did not load"));
    s->spec.ops->failed(s->spec.arg, s->detail);
    sandbox_kill(s, MH_PLUGIN, s->detail);      /* it waits for that, so that FAILED is not lost */
}

void sandbox_received(void *arg, const struct frame *f)
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
        sandbox_kill(s, MH_PROTOCOL, why);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].type == f->type)
            table[i].take(s, f, head);
    json_decref(head);
}
