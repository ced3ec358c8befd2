/* broker_emit.c - see broker_emit.h. */
#include "core/broker_emit.h"

#include "base/clock.h"
#include "core/broker_internal.h"
#include "core/dispatch.h"
#include "io/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Reading ----------------------------------------------------------------------------- */

/* "evt_" and 40 hex digits of SHA-256 over the parts, which hold no NUL, each with one. */
static void id_of(const char *const *parts, char out[MH_ID_BYTES])
{
    unsigned char digest[SHA256_BYTES];
    char          hex[2 * SHA256_BYTES + 1];
    struct buf    text;

    buf_init(&text, 4096);                  /* names, types and ids, each of a few hundred bytes */
    for (; *parts != NULL; parts++)
        if (buf_append(&text, *parts, strlen(*parts) + 1) != MH_OK)
            abort();
    crypto_sha256(text.data, text.len, digest);
    buf_deinit(&text);
    crypto_hex(digest, sizeof digest, hex);
    snprintf(out, MH_ID_BYTES, "evt_%.40s", hex);
}

static void name_event(const char *plugin, const struct hook_call *call, unsigned number,
                       const char *type, const char *given, char out[MH_ID_BYTES])
{
    char count[16];

    snprintf(count, sizeof count, "%u", number);
    if (given != NULL)
        id_of((const char *const[]){ "given", plugin, given, NULL }, out);
    else
        id_of((const char *const[]){ "made", call->event->org, call->delivery_id, type, count, NULL }, out);
}

static enum mh_err check_data(const struct frame *frame, struct json_fault *fault)
{
    json_t *data = NULL;

    if (frame->body_bytes > EMIT_MAX_DATA_BYTES) {
        json_fault(fault, "", "the data may have 1 MiB as JSON");
        return MH_TOO_LARGE;
    }
    enum mh_err err = json_parse(frame->body, frame->body_bytes, &data, fault);
    bool        fits = err == MH_OK && json_is_object(data);
    json_decref(data);
    if (!fits)
        json_fault(fault, "", "the data must be a table with names, a JSON object");
    return fits ? MH_OK : MH_INVALID;
}

static enum mh_err check_cause(const struct hook_call *call, struct json_fault *fault)
{
    if (call->event == NULL) {
        json_fault(fault, "", "there is no event here whose org the new one could belong to");
        return MH_INVALID;
    }
    if (call->event->hops >= EMIT_MAX_HOPS) {
        json_fault(fault, "", "this event is the last of %d that were emitted one for the other, which "
                   "looks like a loop", EMIT_MAX_HOPS);
        return MH_LIMIT;
    }
    return MH_OK;
}

enum mh_err broker_emit_prepare(const char *plugin, const struct hook_call *call, unsigned number,
                                const json_t *head, const struct frame *frame, int64_t now_ms,
                                struct event **out, struct json_fault *fault)
{
    const char *type = json_text_of(head, "event", ""), *given = json_text_of(head, "id", NULL);
    char        id[MH_ID_BYTES];

    enum mh_err err = check_cause(call, fault);
    if (err == MH_OK)
        err = check_data(frame, fault);
    if (err != MH_OK)
        return err;
    if (!event_type_valid(type) || (given != NULL && !id_valid(given))) {
        json_fault(fault, "", given == NULL || id_valid(given)
                   ? "a type must be 1 to 63 of a-z 0-9 _ - . and start with a letter"
                   : "an id must be 1 to 64 of A-Z a-z 0-9 _ - : (no dot)");
        return MH_INVALID;
    }
    name_event(plugin, call, number, type, given, id);
    struct json_span data = { frame->body, frame->body_bytes };
    err = event_make(type, call->event->org, id, data, now_ms, out, fault);
    if (err != MH_OK)
        return MH_INVALID;
    (*out)->hops = call->event->hops + 1;
    snprintf((*out)->caused_by, sizeof (*out)->caused_by, "%s", call->delivery_id);
    return MH_OK;
}

/* ---- Accepting -------------------------------------------------------------------------------- */

static void on_accepted(void *arg, enum mh_err err, size_t deliveries)
{
    struct open_request *r = arg;
    struct refusal       no = { .final = false };

    (void)deliveries;
    if (!broker_resume(r))
        return;
    if (err != MH_OK && err != MH_CONFLICT) {
        broker_reply_error(r, broker_refuse(&no, err, "%s", err_text(err)), &no);
        return;
    }
    r->call->emitted++;                     /* what failed is the same event when it is tried again */
    broker_reply(r, json_pack("{s:b, s:s, s:b}", "ok", 1, "id", r->event->id, "duplicate",
                              err == MH_CONFLICT), NULL, 0);
}

/* Over all processes of the plugin, so that none gets its second's worth anew. */
static enum mh_err check_rate(struct open_request *r, struct refusal *no)
{
    if (r->use != NULL &&
        bucket_take(&r->use->emits, (double)r->who->limits.events, 1, clock_mono_us()))
        return MH_OK;
    sandbox_breach(r->who->sandbox, r->call, LIMIT_EVENTS);
    return broker_refuse(no, MH_LIMIT, "the plugin emits more than its %lld events a second"
                         " (limits.events_per_s)", (long long)r->who->limits.events);
}

enum mh_err broker_emit_start(struct open_request *r, const json_t *head, const struct frame *frame,
                              struct refusal *no)
{
    struct json_fault fault = { .text = "" };

    if (queues_are_full(r->broker->spec.queues))
        return broker_refuse(no, MH_BUSY, "too many deliveries are waiting; try again later");
    enum mh_err err = broker_emit_prepare(r->who->manifest->name, r->call, r->call->emitted + 1, head,
                                          frame, clock_now_ms(), &r->event, &fault);
    if (err != MH_OK) {
        no->final = err == MH_LIMIT;        /* of hops: they will not be fewer */
        return broker_refuse(no, err, "%s", fault.text);
    }
    err = check_rate(r, no);
    if (err != MH_OK)
        return err;
    r->held = true;
    dispatch_accept(r->broker->spec.dispatch, r->event, on_accepted, r);
    return MH_OK;
}
