/* sandbox_calls.c - the hook calls of one sandbox: each is sent, suspended for a request,
 * resumed by its reply, and ended exactly once. */
#include "core/sandbox_internal.h"

#include "base/log.h"
#include "core/hook_story.h"
#include "proto/message.h"

#include <stdio.h>
#include <string.h>

enum { CALLS_QUEUED_BYTES = 8 * 1024 * 1024,        /* not taken yet: past it calls wait, */
       ANSWERS_QUEUED_BYTES = 16 * 1024 * 1024 };   /* and replies lose their bodies */

/* ---- Ending ------------------------------------------------------------------------- */

/* Takes r->facts; what else the call's story has is added to them. */
void sandbox_end_call(struct sandbox *s, struct hook_call *call, struct hook_result *r)
{
    if (call->request != NULL)
        s->spec.ops->abort(s->spec.arg, call);
    list_unlink(&call->node);
    list_unlink(&call->turn);
    s->call_count--;
    hook_add_story(call, r);
    call->done(call, r);
    if (s->finishing && s->call_count == 0)
        sandbox_kill(s, MH_OK, "finished");
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

char *sandbox_error_facts(struct sandbox *s, struct hook_call *call, const struct hook_failure *f)
{
    if (f->limit != LIMIT_NONE)
        sandbox_breach(s, call, f->limit);
    return hook_error_facts(s->plugin, call, f);
}

void sandbox_fail_call(struct sandbox *s, struct hook_call *call, enum mh_err err, enum limit limit,
                      const char *message)
{
    struct hook_failure f = { err, limit, message, NULL, s->ending };
    struct hook_result  r = { .err = err, .retry_after_ms = -1, .message = message,
                              .killed = s->ending, .facts = sandbox_error_facts(s, call, &f) };
    sandbox_end_call(s, call, &r);
}

/* The head is charged; the others end uncharged. */
void sandbox_end_calls(struct sandbox *s)
{
    struct hook_call *head = sandbox_head(s);

    if (head != NULL && s->why != MH_CANCELLED)
        sandbox_fail_call(s, head, s->why == MH_OK ? MH_CRASHED : s->why, hook_limit_of(s->why), s->detail);
    while (!list_empty(&s->calls)) {
        struct hook_result r = { .err = MH_CANCELLED, .uncharged = true, .retry_after_ms = -1 };
        sandbox_end_call(s, container_of(s->calls.next, struct hook_call, node), &r);
    }
}

/* ---- Calling and replying ------------------------------------------------------------ */

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
    sandbox_begin_turn(s, call);
    return MH_OK;
}

static void cancel_call(struct sandbox *s, struct hook_call *call)
{
    char detail[DETAIL_BYTES];

    snprintf(detail, sizeof detail, "%s waited longer than %lld ms (limits.timeout_ms) for an answer",
             call->hook, (long long)s->spec.limits.timeout_ms);
    enum mh_err err = channel_send(s->channel, &(struct frame){ .id = call->id, .type = MSG_CANCEL,
                                                                .head = "{}", .head_bytes = 2 });
    sandbox_fail_call(s, call, MH_TIMEOUT, LIMIT_TIMEOUT, detail);
    if (err != MH_OK)
        sandbox_kill(s, MH_PROTOCOL, "the sandbox does not read what it is sent");
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
        sandbox_begin_turn(s, call);
    else if (err != MH_IO)                  /* else it is gone, which ends the call */
        sandbox_kill(s, MH_PROTOCOL, "the sandbox does not read what it is sent");
}
